"""Watermarks on their way: taken, then written once the broker has acknowledged all below them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from confluent_kafka.admin import AdminClient

from services.live_stream.broker.acks import Acknowledgements
from services.live_stream.broker.outlet import Outlet
from services.live_stream.channels.channel import Channel
from stoculus.connections import Kafka
from stoculus.errors import BrokerRefused, Conflict, StoculusError, TopicLost
from stoculus.kafka.compacted import CompactedLog
from stoculus.streams import Watermark
from stoculus.topics import WATERMARKS

EVERY_S: Final = 0.25


def read_marks(kafka: Kafka) -> dict[str, Watermark]:
    """The newest watermark of each topic."""
    reader = CompactedLog(kafka, WATERMARKS)
    try:
        return {key: Watermark.model_validate_json(value) for key, value in reader.read_to_end() if value}
    finally:
        reader.close()


class Marks:
    """Used by the tape's thread alone. `note` is told of errors of the broker."""

    def __init__(self, admin: AdminClient, outlet: Outlet, note: Callable[[StoculusError], object]) -> None:
        self._outlet = outlet
        self._acks = Acknowledgements(admin, note)
        self._taken: dict[str, tuple[Watermark, int]] = {}
        self._written: dict[str, Watermark] = {}
        self._least: dict[str, int] = {}

    def turn(self, channels: dict[str, Channel]) -> None:
        """Write what is acknowledged; then take the marks of now and ask whether they are."""
        if self._acks.busy:
            ends = self._acks.take()
            if ends is None:
                return
            self._acknowledge(ends, channels)
        self._take(channels.values())
        asked = set(self._taken) | {
            channel.topic.topic for channel in channels.values() if channel.log.acked < channel.log.end
        }
        if asked:
            # What is not on its way any more when the broker is asked, it has, or has refused.
            on_their_way = self._outlet.queued
            self._least = {topic: self._outlet.log_of(topic).end - on_their_way for topic in asked}
            self._acks.ask(sorted(asked))

    def end(self, mark: Watermark) -> None:
        """A last watermark, which says that nobody wants the topic."""
        self._taken[mark.topic] = mark.model_copy(update={"wanted": False}), self._outlet.log_of(mark.topic).end_span()

    @property
    def is_done(self) -> bool:
        """Whether all marks that were taken are written."""
        return not self._taken

    def close(self) -> None:
        self._acks.close()

    def _take(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            topic = channel.topic.topic
            if topic in self._taken or not self._outlet.is_free:
                continue
            mark = channel.watermark()
            if mark is not None and not self._says(mark):
                self._taken[topic] = mark, channel.log.end_span()

    def _says(self, mark: Watermark) -> bool:
        told = self._written.get(mark.topic)
        return told is not None and told == mark.model_copy(update={"written_us": told.written_us})

    def _acknowledge(self, ends: Mapping[str, int], channels: dict[str, Channel]) -> None:
        for topic, end in ends.items():
            log = self._outlet.log_of(topic)
            if end < log.acked:
                raise TopicLost(
                    f"{topic} ends at {end}, after it had {log.acked} records.",
                    remedy="It was made anew: all that is known of it is void.",
                )
            if end > log.end:
                raise Conflict(
                    f"{topic} has {end} records, of which {log.end} are known.",
                    remedy="Nobody else may write to a live topic.",
                )
            if end < self._least[topic]:
                raise BrokerRefused(
                    f"Kafka has refused records of {topic}: {self._least[topic] - end} or more are missing.",
                    remedy="Has the service's user the right to write to it (docs/security.md)? See the broker's log.",
                )
            log.acked = end
            mark, needed = self._taken.get(topic, (None, 0))
            if mark is None or end < needed:
                continue
            if self._outlet.write(WATERMARKS, topic, mark.model_dump_json().encode()):
                del self._taken[topic]
                self._written[topic] = mark
                if topic in channels:
                    channels[topic].offset = mark.offset
