"""The live service as a process on a simulator that plays a day, and its topics as plain clients see them."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from services.live_stream.bars.grid import midnight_us
from simulator.testing import running_simulator
from stoculus.kafka import admin
from stoculus.records.catalog import record_type
from stoculus.records.codec import decode, encode
from stoculus.streams import StreamEvent, StreamSpec, Watermark
from stoculus.topics import STREAM_EVENTS, WATERMARKS
from tests.conftest import Broker, Registry, free_ports
from tests.integration.services.harness import Service, Simulator, until

AFTER_THE_LAST_US = 22 * 3_600_000_000
"""Behind the last tick of a day, as time of the day."""


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """A record of a live topic."""

    offset: int
    key: bytes
    body: bytes
    time_ms: int
    origin: str
    ingest_us: int

    @property
    def whole(self) -> tuple[bytes, bytes, int]:
        """What history has, too."""
        return self.key, self.body, self.time_ms


@dataclass
class Live:
    """A live service and its simulator."""

    service: Service
    simulator: Simulator
    broker: Broker

    def want(self, stream_id: str, *feeds: dict[str, Any], **stream: Any) -> list[str]:
        """Create the topics and want the stream; return its topics."""
        spec = StreamSpec.model_validate({"stream_id": stream_id, "feeds": list(feeds), **stream})
        admin.create_topics(admin.connect(self.broker.kafka), spec.topics, admin.DATA_CONFIG)
        self.put(spec)
        return spec.topics

    def put(self, spec: StreamSpec) -> httpx2.Response:
        body = spec.model_dump(mode="json", by_alias=True)
        answer = self.service.http.put(f"/v1/streams/{spec.stream_id}", json=body)
        assert answer.status_code in (200, 202), answer.text
        return answer

    def stop(self, stream_id: str) -> None:
        """Stop a stream; return when the service has let it go."""
        assert self.service.http.delete(f"/v1/streams/{stream_id}").status_code in (202, 404)
        until(lambda: self.status(stream_id) is None, f"{stream_id} is gone")

    def status(self, stream_id: str) -> dict[str, Any] | None:
        answer = self.service.http.get(f"/v1/streams/{stream_id}")
        return dict(answer.json()) if answer.status_code == 200 else None

    def played(self) -> dict[str, Any]:
        """Where the simulator's day is."""
        return dict(httpx2.get(f"{self.simulator.url}/__stream", trust_env=False).json())

    def wait_until_played(self) -> None:
        """Return when the day is over and nothing is left of it."""
        until(lambda: (now := self.played())["position"] and not now["loading"] and not now["ticks_left"], "played")

    def wait_until_complete(self, topic: str, until_us: int) -> Watermark:
        """Return when the watermark has reached a market time."""

        def reached() -> Watermark | None:
            mark = self.watermark(topic)
            return mark if mark and mark.complete_until_us >= until_us else None

        return until(reached, f"{topic} is complete until {until_us}")

    def play(self, *feeds: dict[str, Any]) -> dict[str, list[LiveRecord]]:
        """Stream a whole day; the records of each topic once its watermark says that it is complete."""
        topics = self.want("day", *feeds)
        self.wait_until_played()
        day = date.fromisoformat(self.played()["day"])
        marks = {topic: self.wait_until_complete(topic, midnight_us(day) + AFTER_THE_LAST_US) for topic in topics}
        records = {topic: self.records(topic) for topic in topics}
        for topic, found in records.items():
            assert {record.origin for record in found} <= {"live", "heal"}
            assert [event.kind for event in self.events(topic)] == ["subscribed"], self.events(topic)
            assert marks[topic].offset <= len(found)
        self.stop("day")
        return records

    def records(self, topic: str) -> list[LiveRecord]:
        """All records of a topic."""
        found = []
        for message in self._read(topic):
            headers: dict[str, Any] = dict(message.headers() or [])
            key: Any = message.key()
            found.append(
                LiveRecord(
                    message.offset() or 0,
                    key,
                    (message.value() or b"")[5:],
                    message.timestamp()[1],
                    headers["origin"].decode(),
                    int(headers["ingest_us"]),
                )
            )
        return found

    def watermark(self, topic: str) -> Watermark | None:
        found = None
        for message in self._read(WATERMARKS):
            if message.key() == topic.encode():
                found = Watermark.model_validate_json(message.value() or b"")
        return found

    def events(self, topic: str) -> list[StreamEvent]:
        values = [m.value() or b"" for m in self._read(STREAM_EVENTS) if m.key() == topic.encode()]
        return [StreamEvent.model_validate(json.loads(value)) for value in values]

    def _read(self, topic: str) -> Iterator[Message]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "tests",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 10,
            }
        )
        try:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            deadline = time.monotonic() + 60
            while True:
                assert time.monotonic() < deadline
                for message in consumer.consume(10_000, 0.05):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:
                        return
        finally:
            consumer.close()


def whole(records: list[LiveRecord]) -> list[tuple[bytes, bytes, int]]:
    """What history has of records, too."""
    return [record.whole for record in records]


def as_streamed(records: list[tuple[bytes, bytes, int]], record_name: str) -> list[tuple[bytes, bytes, int]]:
    """Records of history without what the stream does not tell: the extended conditions of trades."""
    record = record_type(record_name)
    rows = decode([body for _, body, _ in records], record)
    for number, column in enumerate(record.arrow):
        if column.name.startswith("ext_condition"):
            rows = rows.set_column(number, column, pa.nulls(rows.num_rows, column.type))
    bodies = encode(rows, record).to_pylist()
    return [(key, body or b"", time_ms) for (key, _, time_ms), body in zip(records, bodies, strict=True)]


@contextmanager
def running_live(
    broker: Broker, registry: Registry, folder: Path, *, live: dict[str, Any] | None = None, **simulator: Any
) -> Iterator[Live]:
    """A simulator that plays, and the live service on it, started."""
    with ExitStack() as stack:
        url = stack.enter_context(running_simulator(**simulator))
        at = httpx2.post(f"{url}/__stream", json={"login_s": 0}, trust_env=False)
        assert at.status_code == 200, at.text
        [port] = free_ports(1)
        settings = {
            "kafka_bootstrap": broker.bootstrap,
            "registry_url": registry.url,
            "live_stream_port": port,
            "theta_url": url,
            "theta_stream_url": httpx2.get(f"{url}/__stream", trust_env=False).json()["url"],
            "theta_tier": "pro",
            "live_grace_ms": 500,
            # Where the machine is slow nothing is dropped, and no pause of the simulator is a stall.
            "live_buffer_messages": 2_000_000,
            "live_silence_s": 0.001,
            **({"live_date": simulator["sim_live_date"]} if "sim_live_date" in simulator else {}),
            **(live or {}),
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
        environment |= {f"STOCULUS_{name.upper()}": str(value) for name, value in settings.items()}
        service = Service("services.live_stream", environment, port, folder / "live.log")
        stack.callback(service.close)
        yield Live(service.start(), Simulator(url), broker)
