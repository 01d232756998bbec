import io
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.console import Console

from stoculus.cli.stream_views import stream_row, title, topic_row, watch
from stoculus.errors import NotFound

UNKNOWN: dict[str, Any] = dict.fromkeys(
    ("subscriptions", "refused", "records", "last_event", "complete_from", "complete_until", "lag_ms", "gaps", "late")
)


def topic(name: str, **told: Any) -> dict[str, Any]:
    return {"topic": name, **UNKNOWN, "reason": None} | told


def stream(*topics: dict[str, Any], state: str = "running", **told: Any) -> dict[str, Any]:
    named = {"stream_id": "tape", "state": state, "session": "always", "warmup": None, "reason": None}
    return named | {"topics": list(topics)} | told


TRADES = topic(
    "trades",
    subscriptions=1,
    refused=0,
    records=1200,
    last_event="2024-01-08T14:30:05.123000Z",
    complete_until="2024-01-08T14:30:05Z",
    lag_ms=150,
    gaps=0,
    late=0,
)
QUOTES = topic("quotes", subscriptions=2000, refused=3, records=0, lag_ms=2500, gaps=1, late=0, reason="It is healed.")


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=200, highlight=False)


def written(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def test_a_stream_is_a_row_with_the_largest_lag_and_sums() -> None:
    assert stream_row(stream(TRADES, QUOTES)) == ("tape", "running", "always", "2", "2,001", "2.5 s", "1")


def test_what_nobody_knows_is_blank() -> None:
    assert stream_row(stream(topic("trades"), state="waiting"))[3:] == ("1", "", "", "")
    assert topic_row(topic("trades")) == ("trades", "", "", "", "", "", "", "", "")


def test_a_topic_is_a_row_that_says_how_far_it_is_complete() -> None:
    times = ("2024-01-08 14:30:05.123", "2024-01-08 14:30:05.000")

    assert topic_row(TRADES) == ("trades", "1", "1,200", *times, "0.1 s", "0", "0", "")
    assert topic_row(QUOTES)[-1] == "It is healed. The vendor does not stream 3 of its instruments."


def test_the_title_says_why_it_waits() -> None:
    waiting = stream(state="waiting", warmup="2d", reason="The terminal is away.")

    assert title(waiting) == "Stream tape: waiting, session always, warm-up 2d. The terminal is away."


def test_without_a_terminal_only_what_matters_is_a_line() -> None:
    where = console(terminal=False)
    healed = QUOTES | {"gaps": 0, "reason": None, "refused": 0}
    snapshots = [
        stream(topic("quotes"), state="starting"),
        stream(QUOTES),
        stream(QUOTES | {"records": 7, "lag_ms": 3000}),
        stream(healed),
        stream(healed, state="failed", reason="The tier streams nothing."),
    ]

    with pytest.raises(typer.Exit) as ended:
        watch(snapshots, where)

    assert ended.value.exit_code == 1
    assert written(where).splitlines() == [
        "Stream tape: starting, session always.",
        "quotes: no subscriptions, no gaps",
        "Stream tape: running, session always.",
        "quotes: 2,000 subscriptions, 1 gaps: It is healed. The vendor does not stream 3 of its instruments.",
        "quotes: 2,000 subscriptions, 0 gaps",
        "Stream tape: failed, session always. The tier streams nothing.",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_it_ends_when_the_stream_is_stopped(terminal: bool) -> None:
    def snapshots() -> Iterator[dict[str, Any]]:
        yield stream(TRADES)
        yield stream(TRADES, state="stopping")
        raise NotFound("There is no stream 'tape'.")

    where = console(terminal=terminal)
    watch(snapshots(), where)

    assert "stopping" in written(where)
    assert written(where).endswith("It is stopped.\n")


def test_a_stream_that_never_was_is_told() -> None:
    def snapshots() -> Iterator[dict[str, Any]]:
        yield from ()
        raise NotFound("There is no stream 'tape'.")

    with pytest.raises(NotFound):
        watch(snapshots(), console(terminal=False))
