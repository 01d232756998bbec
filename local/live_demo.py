"""The live part of the demo: a chain and two stocks as they trade, and two groups that read the same tape."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import date
from typing import Any, Final, Literal
from uuid import uuid4

import pyarrow as pa
from rich.console import Console
from rich.live import Live
from rich.text import Text

import stoculus
from local.addresses import Addresses
from local.stack import LIVE_SPEED
from stoculus import topic_of
from stoculus.cli.client import Coordinator, path_of
from stoculus.cli.output import print_table
from stoculus.cli.stream_views import TOPICS, topic_row
from stoculus.cli.tape.lines import line
from stoculus.cli.tape.source import Tape, events
from stoculus.errors import NotFound, StackFailed
from stoculus.reading.decoding import Decoder

SYMBOLS: Final = ["AAPL", "MSFT"]
CHAIN: Final = {
    "asset": "option",
    "root": "SPXW",
    "schema": "quote",
    "expirations": {"dte": {"min": 0, "max": 0}},
    "strikes": {"min": 4700, "max": 4800},
}
TAPE_S: Final = 8
SHOWN_LINES: Final = 20
PATIENCE_S: Final = 60
_POLL_S: Final = 0.2


def run_live(at: Addresses, console: Console, day: date) -> bool:
    """Stream, show, stop, read by two groups; whether both have read the same."""
    console.rule(f"Live: the simulator plays {day:%A, %Y-%m-%d}, {LIVE_SPEED} times as fast")
    coordinator = Coordinator(at.coordinator, "stream", api_key=at.api_key)
    # The day starts where the first stream has its first tick: options wait for the opening bell, stocks do not.
    stocks = [{"asset": "stock", "symbols": SYMBOLS, "schema": schema} for schema in ("trade", "ohlcv")]
    with _streaming(coordinator, [CHAIN]) as first_stream, _streaming(coordinator, stocks) as second_stream:
        streams = [first_stream, second_stream]
        topics = [topic["topic"] for stream in streams for topic in stream["topics"]]
        _show_tape(at, topics, console)
        _show_topics(coordinator, streams)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda name: _read(at, name, topics), (f"live-{uuid4().hex}" for _ in "ab"))
    return _show_groups(first, second)


@contextmanager
def _streaming(coordinator: Coordinator, data: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Start a stream and wait for its first record; stop it at the end."""
    stream = coordinator.ask("POST", "", {"data": data})
    path = path_of(stream["stream_id"])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not any(topic["records"] for topic in stream["topics"]):
            if stream["state"] == "failed" or time.monotonic() > deadline:
                raise StackFailed(
                    f"Stream {stream['stream_id']} is {stream['state']} and has no records: {stream['reason']}",
                    remedy="If the simulator's day is over, `make local-down`: the next start plays the next one. Else "
                    "see the log of live-stream.",
                )
            time.sleep(_POLL_S)
            stream = coordinator.ask("GET", path)
        yield stream
    finally:
        _stop(coordinator, path)


def _stop(coordinator: Coordinator, path: str) -> None:
    """Return when it is gone: then all of it is on its topics."""
    deadline = time.monotonic() + PATIENCE_S
    with suppress(NotFound):
        coordinator.ask("DELETE", path)
        while coordinator.ask("GET", path) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _show_tape(at: Addresses, topics: list[str], console: Console) -> None:
    """The newest lines for some seconds; without a terminal those at the end."""
    decoder = Decoder(at.connections.registry)
    shown: deque[Text] = deque(maxlen=SHOWN_LINES)
    too_long: Literal["crop", "ignore"] = "crop" if console.is_terminal else "ignore"
    end = time.monotonic() + TAPE_S
    with (
        Tape(at.connections.kafka, topics) as tape,
        closing(tape.coming()) as coming,
        Live(console=console, refresh_per_second=10, vertical_overflow="crop") as live,
    ):
        for messages in coming:
            if messages:
                now_us = time.time_ns() // 1000
                shown.extend(line(event, now_us) for event in events(decoder, messages[-SHOWN_LINES:]))
                live.update(Text("\n", no_wrap=True, overflow=too_long).join(shown))
            if time.monotonic() > end:
                break
    console.print()


def _show_topics(coordinator: Coordinator, streams: Iterable[dict[str, Any]]) -> None:
    now = [coordinator.ask("GET", path_of(stream["stream_id"])) for stream in streams]
    rows = [topic_row(topic) for stream in now for topic in stream["topics"]]
    print_table(TOPICS, rows, title="The streams")


def _read(at: Addresses, group: str, topics: list[str]) -> dict[str, pa.Table]:
    """All that a consumer group finds on the topics."""
    found: dict[str, list[pa.RecordBatch]] = {topic: [] for topic in topics}
    for batch in stoculus.subscribe(topics, group=group, until_end=True, settings=at.connections):
        found[topic_of(batch)].append(batch)
    return {topic: pa.Table.from_batches(batches) for topic, batches in found.items() if batches}


def _show_groups(first: dict[str, pa.Table], second: dict[str, pa.Table]) -> bool:
    both = {topic: (first[topic], second[topic]) for topic in first.keys() & second.keys()}
    rows = [
        (topic, f"{len(one):,}", f"{len(other):,}", "✓" if one.equals(other) else "✗")
        for topic, (one, other) in sorted(both.items())
    ]
    columns = ("topic", ">group A", ">group B", "the same")
    print_table(columns, rows, title="\nTwo consumer groups read the live topics, records")
    return first.keys() == second.keys() and all(one.equals(other) for one, other in both.values())
