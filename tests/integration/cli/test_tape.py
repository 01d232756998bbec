"""`stoculus tape` on topics as the live service writes them."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from stoculus import connections
from stoculus.kafka import admin
from stoculus.kafka.registry import connect, lookup_id
from stoculus.records import codec, framing
from stoculus.records.catalog import record_type

Run = Callable[..., tuple[int, str, str]]
OPEN_US = 1_704_724_200_000_000  # 2024-01-08 09:30 in New York


class Broker(Protocol):
    @property
    def bootstrap(self) -> str: ...

    @property
    def kafka(self) -> connections.Kafka: ...


class Registry(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


class LiveTopic:
    """A topic of trades as the live service writes it: no transactions, headers `ingest_us` and `origin`."""

    def __init__(self, broker: Broker, registry: Registry, symbol: str, name: str | None = None) -> None:
        self.name = name or f"stock-{symbol.lower()}-trade-live-{uuid4().hex}"
        self._symbol = symbol
        self._record = record_type("StockTrade")
        with connect(registry.connection) as client:
            self._header = framing.header(lookup_id(client, self._record, registry.url))
        admin.create_topics(admin.connect(broker.kafka), [self.name], admin.DATA_CONFIG)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})

    def write(self, times_us: Sequence[int], origin: str = "live", ingest_us: int = 1) -> "LiveTopic":
        """A trade at each time; its size counts the trades."""
        fields = self._record.arrow
        rows: list[dict[str, Any]] = [
            dict.fromkeys(fields.names, 0)
            | {"symbol": self._symbol, "ts_event": time_us, "size": n + 1, "price": 185.25, "exchange": 3}
            for n, time_us in enumerate(times_us)
        ]
        batch = pa.RecordBatch.from_pylist(rows, schema=fields)
        headers: list[tuple[str, str | bytes | None]] = [("ingest_us", b"%d" % ingest_us), ("origin", origin.encode())]
        for body, time_us in zip(codec.encode(batch, self._record).to_pylist(), times_us, strict=True):
            value = self._header + (body or b"")
            self._producer.produce(self.name, value, self._symbol, 0, timestamp=time_us // 1000, headers=headers)
        self._producer.flush()
        return self


@pytest.fixture
def live(broker: Broker, registry: Registry) -> Callable[[str], LiveTopic]:
    return lambda symbol: LiveTopic(broker, registry, symbol)


def seconds(*after_open: int) -> list[int]:
    return [OPEN_US + each * 1_000_000 for each in after_open]


def test_topics_are_merged_by_time_from_a_market_time_on(stoculus: Run, live: Callable[[str], LiveTopic]) -> None:
    apple, microsoft = live("AAPL").write(seconds(0, 1, 4)), live("MSFT").write(seconds(2, 3))

    code, out, err = stoculus("tape", apple.name, microsoft.name, "--from", "2024-01-08T09:30:01", "--limit", "4")

    assert (code, err) == (0, "")
    assert [line.split()[1:3] for line in out.splitlines()] == [
        ["09:30:01.000", "AAPL"],
        ["09:30:02.000", "MSFT"],
        ["09:30:03.000", "MSFT"],
        ["09:30:04.000", "AAPL"],
    ]


def test_the_last_records_of_all_topics_are_shown(stoculus: Run, live: Callable[[str], LiveTopic]) -> None:
    apple, microsoft = live("AAPL").write(seconds(0, 1, 4)), live("MSFT").write(seconds(2, 3))

    _, out, _ = stoculus("tape", apple.name, microsoft.name, "--last", "2", "--limit", "2")

    assert [line.split()[1:3] for line in out.splitlines()] == [["09:30:03.000", "MSFT"], ["09:30:04.000", "AAPL"]]


def test_objects_tell_where_a_record_came_from(stoculus: Run, live: Callable[[str], LiveTopic]) -> None:
    topic = live("AAPL").write(seconds(0), "warmup").write(seconds(1), ingest_us=7)

    _, out, _ = stoculus("tape", topic.name, "--last", "9", "--limit", "2", "--json", "--latency")

    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["origin"], first["offset"], first["ts_event"]) == ("warmup", 0, "2024-01-08T14:30:00Z")
    assert (second["topic"], second["origin"], second["ingest_us"]) == (topic.name, "live", 7)
    assert second["age_us"] > 0


class Terminal:
    """`stoculus tape` on a terminal of 100 columns."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._screen, screen = pty.openpty()
        command = [sys.executable, "-c", "from stoculus.cli.main import main; main()", "tape", *arguments]
        # Who runs the tests in the background may ignore SIGINT, which programs would inherit.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(command, stdout=screen, stderr=screen, env=environment)
        finally:
            signal.signal(signal.SIGINT, before)
        os.close(screen)
        self._bytes = b""

    @property
    def seen(self) -> str:
        """What the screen shows, without its colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self._bytes.decode(errors="replace"))

    def read_until(self, pattern: str) -> None:
        """Read the screen until it shows something, or the program has ended."""
        while not re.search(pattern, self.seen):
            try:
                self._bytes += os.read(self._screen, 65536)
            except OSError:  # the program has closed the terminal
                return

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)


@contextmanager
def terminal(broker: Broker, registry: Registry, *arguments: str) -> Iterator[Terminal]:
    places = {"STOCULUS_KAFKA_BOOTSTRAP": broker.bootstrap, "STOCULUS_REGISTRY_URL": registry.url}
    opened = Terminal(dict(os.environ) | places | {"TERM": "xterm", "COLUMNS": "100"}, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def test_what_comes_is_shown_at_once_until_control_c(
    broker: Broker, registry: Registry, live: Callable[[str], LiveTopic]
) -> None:
    topic = live("AAPL").write(seconds(0))
    with terminal(broker, registry, topic.name, "--last", "1") as tape:
        tape.read_until("09:30:00")
        topic.write(seconds(5), "heal")
        tape.read_until("09:30:05.000 .* heal")
        tape.process.send_signal(signal.SIGINT)
        tape.read_until("nothing more")

        assert tape.process.wait() == 130
        assert len(tape.seen.splitlines()) == 2


@pytest.mark.chaos
def test_a_terminal_that_is_too_slow_is_told_what_it_missed(
    broker: Broker, registry: Registry, live: Callable[[str], LiveTopic]
) -> None:
    topic = live("AAPL").write(seconds(0))
    with terminal(broker, registry, topic.name, "--last", "1") as tape:
        tape.read_until("09:30:00")
        topic.write(range(OPEN_US, OPEN_US + 5_000_000, 1_000))  # nobody reads the screen
        topic.write(seconds(3600))
        tape.read_until("10:30:00")

    lines = tape.seen.count(" AAPL ")
    skipped = sum(int(count.replace(",", "")) for count in re.findall(r"([\d,]+) lines skipped", tape.seen))
    assert skipped > 0
    assert lines + skipped == 5002


def test_a_pipe_gets_everything(stoculus: Run, live: Callable[[str], LiveTopic]) -> None:
    topic = live("AAPL").write(range(OPEN_US, OPEN_US + 5_000_000, 1_000))

    _, out, _ = stoculus("tape", topic.name, "--from", "2024-01-08", "--limit", "5000")

    assert len(out.splitlines()) == 5000


def test_a_topic_that_does_not_exist_is_told(stoculus: Run) -> None:
    code, _, err = stoculus("tape", "stock-nope-trade-live")

    assert code == 1
    assert "error: There is no topic stock-nope-trade-live." in err


def test_a_topic_that_is_just_being_made_is_waited_for(stoculus: Run, broker: Broker, registry: Registry) -> None:
    name = f"stock-aapl-trade-live-{uuid4().hex}"
    making = threading.Timer(0.5, lambda: LiveTopic(broker, registry, "AAPL", name).write(seconds(0)))
    making.start()

    code, out, _ = stoculus("tape", name, "--last", "1", "--limit", "1")
    making.join()

    assert (code, len(out.splitlines())) == (0, 1)
