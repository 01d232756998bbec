import io
import re
from typing import Any

import pytest
import typer
from rich.console import Console

from stoculus.cli.watch import report, watch


def task(topic: str, state: str = "running", records: int = 0, expected: int = 1000, **more: Any) -> dict[str, Any]:
    told = {"waiting": None, "failure": None, "warnings": []} | more
    return {"topic": topic, "state": state, "records": records, "rows_expected": expected, **told}


def snapshot(state: str, *tasks: dict[str, Any]) -> dict[str, Any]:
    topics = [one["topic"] for one in tasks]
    records = sum(one["records"] for one in tasks)
    return {"backtest_id": "42", "state": state, "topics": topics, "records": records, "tasks": list(tasks)}


WAY = [
    snapshot("queued", task("bars", "queued", expected=0), task("quotes", "queued", expected=0)),
    snapshot("running", task("bars", records=50), task("quotes", records=120)),
    snapshot("running", task("bars", records=60), task("quotes", "waiting", 120, waiting="the terminal is busy")),
    snapshot("completed", task("bars", "completed", 990), task("quotes", "completed", 1100)),
    snapshot("completed", task("never", "completed", 1)),
]


def console(*, terminal: bool, height: int = 20) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=height, highlight=False)


def written(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_it_ends_with_the_first_final_state(terminal: bool) -> None:
    assert watch(WAY, console(terminal=terminal)) is WAY[3]


def test_without_a_terminal_each_step_is_a_line() -> None:
    where = console(terminal=False)

    watch(WAY, where)

    assert written(where).splitlines() == [
        "bars: queued, 0 records",
        "quotes: queued, 0 records",
        "bars: running, 50 records of about 1,000",
        "quotes: running, 120 records of about 1,000",
        "quotes: waiting: the terminal is busy, 120 records of about 1,000",
        "bars: completed, 990 records",
        "quotes: completed, 1,100 records",
    ]


def test_on_a_terminal_each_topic_has_a_bar() -> None:
    where = console(terminal=True)

    watch(WAY, where)

    bars, quotes = (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in written(where).splitlines()[-3:-1])
    assert re.search(r"bars .* 990 / 990 .* completed", bars)
    assert re.search(r"quotes .* 1,100 / 1,100 .* completed", quotes)


def test_more_topics_than_lines_show_those_at_work() -> None:
    where = console(terminal=True, height=4)
    done = [task(f"done{n}", "completed", 1) for n in range(50)]

    watch([snapshot("running", *done, task("at-work")), snapshot("failed", *done, task("broken", "failed"))], where)

    assert "at-work" in written(where)
    assert "done1 " in written(where)
    assert "done40" not in written(where)


def test_a_quiet_wait_prints_nothing() -> None:
    where = console(terminal=True)

    assert watch(WAY, where, quiet=True) is WAY[3]
    assert written(where) == ""


def test_a_completed_backtest_is_reported_with_its_warnings() -> None:
    where = console(terminal=False)

    report(snapshot("completed", task("bars", "completed", 1234, warnings=["It ends empty."])), where)

    assert written(where).splitlines() == [
        "Backtest 42 completed: 1,234 records in 1 topics.",
        "bars: It ends empty.",
    ]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_did_not_complete_ends_with_code_1_and_says_why(state: str) -> None:
    where = console(terminal=False)
    failure = {"code": "too_many_bad_rows", "message": "3 bad rows.", "remedy": "Retry with --max-bad-rows 3."}

    with pytest.raises(typer.Exit) as caught:
        report(snapshot(state, task("bars", state, 5, failure=failure)), where)

    assert caught.value.exit_code == 1
    assert "bars: 3 bad rows. Retry with --max-bad-rows 3." in written(where)
