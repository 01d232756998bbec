"""How streams look: a row a stream, a row a topic, and a stream that is watched."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from stoculus.cli.output import make_table, print_json_line, utc
from stoculus.errors import NotFound

STREAMS: Final = ("stream", "state", "session", ">topics", ">subscriptions", ">lag", ">gaps")
TOPICS: Final = (
    *("topic", ">subscriptions", ">records", "last event (UTC)", "complete until (UTC)"),
    *(">lag", ">gaps", ">late", "remarks"),
)
Snapshot = dict[str, Any]


def stream_row(stream: Snapshot) -> tuple[str, ...]:
    """A stream by the columns of STREAMS: the largest lag of its topics, all their subscriptions and gaps."""
    topics = stream["topics"]
    identity = (stream["stream_id"], stream["state"], stream["session"], str(len(topics)))
    lag_ms = max(_known(topics, "lag_ms"), default=None)
    return (*identity, _total(topics, "subscriptions"), _lag(lag_ms), _total(topics, "gaps"))


def topic_row(topic: Snapshot) -> tuple[str, ...]:
    """A topic of a stream by the columns of TOPICS."""
    refused = f"The vendor does not stream {topic['refused']:,} of its instruments." if topic["refused"] else ""
    return (
        topic["topic"],
        _number(topic["subscriptions"]),
        _number(topic["records"]),
        utc(topic["last_event"]),
        utc(topic["complete_until"]),
        _lag(topic["lag_ms"]),
        _number(topic["gaps"]),
        _number(topic["late"]),
        " ".join(told for told in (topic["reason"], refused) if told),
    )


def title(stream: Snapshot) -> str:
    """What is said of a stream above its topics."""
    warmup = f", warm-up {stream['warmup']}" if stream["warmup"] else ""
    reason = f" {stream['reason']}" if stream["reason"] else ""
    return f"Stream {stream['stream_id']}: {stream['state']}, session {stream['session']}{warmup}.{reason}"


def watch(snapshots: Iterable[Snapshot], console: Console, *, as_json: bool = False) -> None:
    """Show a stream until it is stopped: a table that changes on a terminal, else a line at what matters.

    With `as_json` each snapshot is a line of JSON.
    Raise Exit(1) where it failed, NotFound where it is gone and was not seen stopping.
    """
    state = ""
    show = _objects if as_json else _tables if console.is_terminal else _lines
    try:
        for stream in show(snapshots, console):
            state = stream["state"]
            if state == "failed":
                raise typer.Exit(1)
    except NotFound:
        if state != "stopping":
            raise
        if not as_json:
            console.print("It is stopped.")


def _objects(snapshots: Iterable[Snapshot], _: Console) -> Iterator[Snapshot]:
    for stream in snapshots:
        print_json_line(stream)
        yield stream


def _tables(snapshots: Iterable[Snapshot], console: Console) -> Iterator[Snapshot]:
    with Live(console=console, auto_refresh=False) as live:
        for stream in snapshots:
            table = make_table(TOPICS, [topic_row(each) for each in stream["topics"]], title=title(stream))
            live.update(table, refresh=True)
            yield stream


def _lines(snapshots: Iterable[Snapshot], console: Console) -> Iterator[Snapshot]:
    """A line where state, subscriptions, gaps or remarks have changed: records and lag always do."""
    said: dict[str, str] = {}
    for stream in snapshots:
        lines = {"": title(stream)}
        for topic in stream["topics"]:
            name, subscriptions, *_, gaps, _late, remarks = topic_row(topic)
            told = f"{subscriptions or 'no'} subscriptions, {gaps or 'no'} gaps"
            lines[name] = f"{name}: {told}{f': {remarks}' if remarks else ''}"
        for key, text in lines.items():
            if said.get(key) != text:
                console.print(Text(text), soft_wrap=True)
        said = lines
        yield stream


def _known(topics: list[Snapshot], name: str) -> list[int]:
    return [topic[name] for topic in topics if topic[name] is not None]


def _total(topics: list[Snapshot], name: str) -> str:
    known = _known(topics, name)
    return f"{sum(known):,}" if known else ""


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _lag(lag_ms: int | None) -> str:
    return "" if lag_ms is None else f"{lag_ms / 1000:,.1f} s"
