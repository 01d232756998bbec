"""A service as a process, its simulator's faults, and what stands on topics, seen by plain clients."""

import hashlib
import io
import json
import signal
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import fastavro
import httpx2
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from tests.integration.kafka.conftest import Record

NEW_YORK = ZoneInfo("America/New_York")
DEADLINE_S = 120
Value = TypeVar("Value")


def until(look: Callable[[], Value | None], what: str) -> Value:
    """Look again and again until there is something true to see."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@dataclass
class Service:
    """A historical service as a process on a port of its own; a test may kill it and start it again."""

    module: str
    environment: dict[str, str]
    port: int
    log: Path
    http: httpx2.Client = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)

    def begin(self) -> Self:
        """Start it without waiting."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], env=self.environment, stdout=log, stderr=log
            )
        return self

    def start(self) -> Self:
        """Return when it is ready."""
        self.begin()
        until(lambda: self._answers() or self._ended(), "the service answers")
        assert not self._ended(), self.log.read_text()[-3000:]
        return self

    def kill9(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; return the exit code."""
        assert self.process is not None
        self.process.send_signal(by)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.kill9()

    def post(self, task: dict[str, Any]) -> httpx2.Response:
        return self.http.post("/v1/tasks", json=task)

    def start_task(self, task: dict[str, Any]) -> str:
        """Run the task; return its id."""
        answer = self.post(task)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def status(self, task_id: str) -> dict[str, Any] | None:
        answer = self.http.get(f"/v1/tasks/{task_id}")
        return dict(answer.json()) if answer.status_code == 200 else None

    def stop_task(self, task_id: str) -> None:
        """End the task at its block boundary; return when it is held no more."""
        assert self.http.delete(f"/v1/tasks/{task_id}").status_code in (202, 404)
        until(lambda: self.status(task_id) is None, f"{task_id} is stopped")

    def lives(self) -> bool:
        """Whether it answers at all."""
        try:
            return self.http.get("/livez").status_code == 200
        except httpx2.HTTPError:
            return False

    def not_ready(self) -> str | None:
        """What /readyz says is missing."""
        answer = self.http.get("/readyz")
        return str(answer.json()["detail"]) if answer.status_code == 503 else None

    def metric(self, name: str) -> float:
        """One by its name, with its labels."""
        lines = self.http.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def _answers(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


@dataclass(frozen=True)
class Simulator:
    """The simulator's controls."""

    url: str

    def fault(self, kind: str, *, times: int | None = None, match: dict[str, str] | None = None, **fault: Any) -> None:
        script = {"match": match or {}, "times": times, "fault": {"kind": kind, **fault}}
        answer = httpx2.post(f"{self.url}/__faults", json=script, trust_env=False)
        assert answer.status_code == 201, answer.text

    def heal(self) -> None:
        httpx2.delete(f"{self.url}/__faults", trust_env=False)

    def fired(self) -> list[int]:
        """How often each fault struck."""
        return [rule["fired"] for rule in httpx2.get(f"{self.url}/__faults", trust_env=False).json()]

    def data_requests(self) -> int:
        """How many requests for data it has had, since its log was emptied."""
        counts = httpx2.get(f"{self.url}/__requests", trust_env=False).json()["by_path"]
        return sum(count for path, count in counts.items() if not path.startswith("terminal/"))

    def csv(self, kind: str, asset: str = "stock", **query: str) -> bytes:
        """A body as the service would get it."""
        answer = httpx2.get(f"{self.url}/v3/{asset}/history/{kind}", params=query, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.content


class Checkpoints:
    """Follows `stoculus.checkpoints`: the newest committed checkpoint of each task."""

    def __init__(self, kafka: Kafka) -> None:
        self._newest: dict[str, Checkpoint] = {}
        self._consumer = Consumer(
            {
                **kafka.config,
                "group.id": "tests",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        self._consumer.assign([TopicPartition("stoculus.checkpoints", p, OFFSET_BEGINNING) for p in range(8)])

    def of(self, task_id: str) -> Checkpoint | None:
        for message in self._consumer.consume(1000, 0.03):
            # Other tests leave records of their own on the partitions.
            if message.error() is None and (value := message.value()):
                found = Checkpoint.model_validate_json(value)
                self._newest[found.task_id] = found
        return self._newest.get(task_id)

    def once(self, task_id: str, holds: Callable[[Checkpoint], bool], what: str) -> Checkpoint:
        """Wait until the task's checkpoint is such."""

        def look() -> Checkpoint | None:
            now = self.of(task_id)
            return now if now is not None and holds(now) else None

        return until(look, f"{task_id} {what}")

    def ended(self, task_id: str, attempt: int = 1) -> Checkpoint:
        """Wait until the task is completed or failed."""
        return self.once(
            task_id, lambda now: now.state in ("completed", "failed") and now.attempt == attempt, "has ended"
        )

    def completed(self, task_id: str, attempt: int = 1) -> Checkpoint:
        now = self.ended(task_id, attempt)
        assert now.state == "completed", now.failure
        return now

    def failed(self, task_id: str, code: str, attempt: int = 1) -> Checkpoint:
        now = self.ended(task_id, attempt)
        assert now.state == "failed"
        assert now.failure is not None
        assert now.failure.code == code, now.failure
        return now

    def started(self, task_id: str) -> Checkpoint:
        """Wait until something is written and more is to come."""
        return self.once(task_id, lambda now: now.state == "running" and now.records > 0, "is half written")

    def close(self) -> None:
        self._consumer.close()


def schema_of(records: list[Record], registry_url: str) -> dict[str, Any]:
    """The Avro schema that the registry has for the records' id."""
    [header] = {(record.value or b"")[:5] for record in records}
    assert header[0] == 0
    answer = httpx2.get(f"{registry_url}/schemas/ids/{int.from_bytes(header[1:])}", trust_env=False)
    return dict(json.loads(answer.json()["schema"]))


def decoded(records: list[Record], registry_url: str) -> Iterator[dict[str, Any]]:
    """The records' values by fastavro and the schema that the registry has for their id."""
    schema = fastavro.parse_schema(schema_of(records, registry_url))
    for record in records:
        row: Any = fastavro.schemaless_reader(io.BytesIO((record.value or b"")[5:]), schema, None)
        yield row


def assert_same(found: Iterable[object], expected: Iterable[object]) -> int:
    """Compare row by row; return how many there were."""
    count = 0
    for row, (one, other) in enumerate(zip_longest(found, expected)):
        assert one == other, f"row {row}"
        count += 1
    return count


def hash_of(records: list[Record]) -> str:
    """The hash of a topic's records as `stoculus.checkpoints` defines it (vendor times are whole milliseconds)."""
    chain = bytes(32)
    for rows in by_day(records).values():
        bodies = [(row.value or b"")[5:] for row in rows]
        columns = (
            b"".join(row.key or b"" for row in rows),
            struct.pack(f"<{len(rows)}q", *(row.time_ms * 1000 for row in rows)),
            struct.pack(f"<{len(rows)}i", *map(len, bodies)),
            b"".join(bodies),
        )
        day = hashlib.sha256(b"".join(hashlib.sha256(column).digest() for column in columns)).digest()
        chain = hashlib.sha256(chain + day).digest()
    return chain.hex()


def days_of(records: list[Record]) -> dict[date, int]:
    """Records per New York day."""
    return {day: len(rows) for day, rows in by_day(records).items()}


def by_day(records: list[Record]) -> dict[date, list[Record]]:
    """Records by New York day."""
    days: dict[date, list[Record]] = defaultdict(list)
    hours: dict[int, date] = {}
    for record in records:
        hour = record.time_ms // 3_600_000
        if hour not in hours:
            hours[hour] = datetime.fromtimestamp(hour * 3600, NEW_YORK).date()
        days[hours[hour]].append(record)
    return days


def content(records: list[Record]) -> list[tuple[bytes | None, bytes | None, int]]:
    """What must be the same on every topic of the same request: all but the offsets."""
    return [(record.key, record.value, record.time_ms) for record in records]
