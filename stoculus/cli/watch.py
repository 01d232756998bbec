"""`stoculus backtest watch`: a bar for each topic on a terminal, plain lines elsewhere."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
_STYLES: Final = {"completed": "green", "failed": "red", "cancelled": "red", "waiting": "yellow", "paused": "yellow"}
_SPEED_PERIOD_S: Final = 10
_LINE_EVERY_RECORDS: Final = 0.1  # of what is expected

Snapshot = dict[str, Any]


def watch(snapshots: Iterable[Snapshot], console: Console, *, quiet: bool = False) -> Snapshot:
    """Show the snapshots of a backtest until one is final; return that one."""
    shown = snapshots if quiet else _bars(snapshots, console) if console.is_terminal else _lines(snapshots, console)
    return next(snapshot for snapshot in shown if snapshot["state"] in FINAL)


def until_final(snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
    """The snapshots up to the first that is final, that one included."""
    for snapshot in snapshots:
        yield snapshot
        if snapshot["state"] in FINAL:
            return


def report(snapshot: Snapshot, console: Console) -> None:
    """Say how a backtest ended, and why tasks failed; raise Exit(1) where it did not complete."""
    state, records = snapshot["state"], snapshot["records"]
    line = f"Backtest {snapshot['backtest_id']} {state}: {records:,} records in {len(snapshot['topics'])} topics."
    console.print(Text(line, _STYLES.get(state, "")), soft_wrap=True)
    for task in snapshot["tasks"]:
        for warning in task["warnings"]:
            console.print(Text(f"{task['topic']}: {warning}", "yellow"), soft_wrap=True)
        if failure := task["failure"]:
            told = f"{task['topic']}: {failure['message']} {failure.get('remedy', '')}"
            console.print(Text(told.strip(), "red"), soft_wrap=True)
    if state != "completed":
        raise typer.Exit(1)


def _lines(snapshots: Iterable[Snapshot], console: Console) -> Iterator[Snapshot]:
    """A line at each change of a topic's state and at each tenth of its way."""
    said: dict[str, tuple[Any, ...]] = {}
    for snapshot in snapshots:
        for task in snapshot["tasks"]:
            records, expected = task["records"], _expected(task)
            step = (task["state"], task["waiting"], int(records / (expected * _LINE_EVERY_RECORDS)) if expected else 0)
            if said.get(task["topic"]) != step:
                said[task["topic"]] = step
                about = f" of about {expected:,}" if expected > records else ""
                console.print(f"{task['topic']}: {_state(task)}, {records:,} records{about}", soft_wrap=True)
        yield snapshot


def _bars(snapshots: Iterable[Snapshot], console: Console) -> Iterator[Snapshot]:
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _Rows(),
        _Rate(),
        TimeRemainingColumn(),
        _State(),
        console=console,
        expand=True,
        speed_estimate_period=_SPEED_PERIOD_S,
    )
    ids: dict[str, TaskID] = {}
    with bars:
        for snapshot in snapshots:
            room = max(console.height - 2, 1)
            for task in sorted(snapshot["tasks"], key=lambda each: each["state"] in FINAL | {"queued"}):
                topic = task["topic"]
                if topic not in ids:
                    ids[topic] = bars.add_task(topic, total=None, visible=False, state="", style="")
                room -= 1
                bars.update(
                    ids[topic],
                    total=_expected(task) or None,
                    completed=task["records"],
                    visible=room >= 0,
                    state=_state(task),
                    style=_STYLES.get(task["state"], ""),
                )
            yield snapshot


def _expected(task: dict[str, Any]) -> int:
    """The records at the end: known when it is completed, else the plan's estimate, never below what is there."""
    records: int = task["records"]
    return records if task["state"] == "completed" else max(task["rows_expected"], records)


def _state(task: dict[str, Any]) -> str:
    return f"{task['state']}: {task['waiting']}" if task["waiting"] else str(task["state"])


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f" / {int(task.total):,}"
        return Text(f"{int(task.completed):,}{total}", "cyan", justify="right")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", "magenta", justify="right")


class _State(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields["state"], task.fields["style"], overflow="ellipsis", no_wrap=True)
