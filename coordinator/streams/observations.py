"""What is known of the streams: what the live service says, and the watermarks of their topics."""

import logging
from dataclasses import dataclass, field

from pydantic import ValidationError

from coordinator.remote import ServiceView
from coordinator.streams.states import Observed, Wanted
from coordinator.streams.store import Stream
from coordinator.tail import Record
from stoculus.streams import StreamStatus, Watermark

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Observations:
    """What is known now. Touched by the event loop alone.

    `failed` is what the service refused for good, and why; `held_up` what could not be started just now, and why.
    """

    service: ServiceView[StreamStatus] = field(default_factory=ServiceView)
    watermarks: dict[str, Watermark] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    held_up: dict[str, str] = field(default_factory=dict)

    def apply(self, records: list[Record]) -> None:
        """Take records of the watermark topic in."""
        for topic, value in records:
            self.watermarks.pop(topic, None)
            try:
                if value:
                    self.watermarks[topic] = Watermark.model_validate_json(value)
            except ValidationError as error:
                log.warning("The watermark of %s is not one, it is passed over: %s", topic, error)

    def forget(self, stream_id: str) -> None:
        """Let go of what is known of a stream that is over, or that is tried again."""
        self.failed.pop(stream_id, None)
        self.held_up.pop(stream_id, None)

    def status(self, stream: Stream) -> StreamStatus | None:
        """What the service says of a stream now; None while it does not answer or has not got it."""
        return None if self.service.trouble else self.service.held.get(stream.stream_id)

    def state(self, stream: Stream) -> tuple[Observed, str | None]:
        """What a stream is seen to be, and the reason of it where there is one."""
        trouble = self.service.trouble
        if stream.wanted is Wanted.STOP:
            return Observed.STOPPING, trouble
        if why := self.failed.get(stream.stream_id):
            return Observed.FAILED, why
        if trouble:
            return Observed.WAITING, trouble
        status = self.status(stream)
        if status is None and (why := self.held_up.get(stream.stream_id)):
            return Observed.WAITING, why
        if status is None or status.state == "stopping":
            # An older stream of this id is on its way out of the service.
            return Observed.STARTING, None
        return Observed(status.state), status.reason  # type: ignore[call-arg]  # by value
