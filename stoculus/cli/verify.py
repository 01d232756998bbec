"""`stoculus verify`: an independent check of a backtest's topics."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stoculus.cli import completing
from stoculus.cli.backtests.asking import Id
from stoculus.cli.connections import reachable_kafka, settings
from stoculus.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from stoculus.verify.backtest import Verifier
    from stoculus.verify.findings import Fault, TopicReport

_MOST_PAIRS: Final = 5
"""Records that are shown side by side, a topic."""


def verify(
    backtest_id: Id,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Only this topic; may be given several times.", autocompletion=completing.topics),
    ] = None,
    against_source: Annotated[
        bool, typer.Option("--against-source", help="Ask the vendor again, and compare row by row.")
    ] = False,
    as_json: Json = False,
) -> None:
    r"""Check a backtest: that its topics hold what was asked for, each record once.

    Every committed record is read. Of each topic it checks the records of each
    day against the receipt and the calendar, the order, that times lie inside
    the days and sessions asked for, keys, Kafka timestamps, schema ids, the
    Avro values, the quarantine, whether records were cut off by retention, and
    the hash over all records.

    The hash says that a record differs, not which. With --against-source the
    same requests are sent to the vendor again, with the settings of the
    services (STOCULUS_THETA_URL, STOCULUS_THETA_TIER), and records that are
    missing, doubled, altered or swapped are shown beside the vendor's.

    Prints a line a topic, and below what does not hold, with day and offset.

    Exit codes: 0 all holds, 1 something does not, or the backtest is not
    completed or could not be checked, 2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus verify 42
      stoculus verify 42 --topic stock-aapl-ohlcv1m-historical-42 \
          --against-source
      stoculus verify 42 --json > verified.json
    """
    from rich.console import Console

    from stoculus.verify.backtest import Verifier
    from stoculus.verify.source import open_sources

    at = settings()
    reachable_kafka(at.kafka)
    with ExitStack() as stack:
        sources = stack.enter_context(open_sources(os.environ)) if against_source else None
        verifier = Verifier(at, backtest_id, sources)
        reports = _check_all(verifier, topic, Console(stderr=True, highlight=False))
    holds = all(report.holds for report in reports)
    if as_json:
        print_json(_as_json(verifier, reports, holds=holds))
    else:
        _print(verifier, reports, Console(highlight=False), holds=holds)
    if not holds:
        raise typer.Exit(1)


def _check_all(verifier: "Verifier", names: list[str] | None, console: "Console") -> "list[TopicReport]":
    entries = verifier.manifest.chosen(names)
    with _bar(verifier.records(entries), console) as tell:
        return [verifier.check(entry, tell) for entry in entries]


@contextmanager
def _bar(total: int, console: "Console") -> Iterator[Callable[[str, int], None]]:
    """A progress bar over all topics, while it is looked at."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done: dict[str, int] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total or None)

        def tell(topic: str, records: int) -> None:
            done[topic] = records
            progress.update(bar, completed=sum(done.values()), description=topic)

        yield tell


def _print(verifier: "Verifier", reports: "list[TopicReport]", console: "Console", *, holds: bool) -> None:
    from rich.text import Text

    columns = ("topic", "state", ">records", ">days", ">empty days", "first (UTC)", "last (UTC)", ">faults")
    print_table(columns, [_row(report) for report in reports])
    for report in reports:
        if report.faults or report.notes:
            console.print(Text(f"\n{report.topic}", "bold"), soft_wrap=True)
        for note in report.notes:
            console.print(Text(f"  {note}", "yellow"), soft_wrap=True)
        for fault in report.faults:
            console.print(Text(f"  {_line(fault)}", "red"), soft_wrap=True)
        for fault in [one for one in report.faults if one.topic or one.vendor][:_MOST_PAIRS]:
            _print_pair(fault)
    records = sum(report.records for report in reports)
    state = verifier.manifest.state
    about = f"Backtest {verifier.manifest.backtest_id} ({state}): {records:,} records in {len(reports)} topics"
    if holds:
        console.print(Text(f"\n{about}; all holds.", "green"), soft_wrap=True)
        return
    odd, faults = [report for report in reports if not report.holds], sum(len(report.faults) for report in reports)
    told = f"{faults:,} faults" if faults else "not complete"
    console.print(Text(f"\n{about}; {told}, in {len(odd)} of the topics.", "red"), soft_wrap=True)


def _row(report: "TopicReport") -> tuple[str, ...]:
    return (
        report.topic,
        report.state,
        f"{report.records:,}",
        str(len(report.days)),
        str(report.empty_days),
        _utc(report.first_ts_event),
        _utc(report.last_ts_event),
        f"{len(report.faults):,}" if report.faults else "none",
    )


def _line(fault: "Fault") -> str:
    """What does not hold, and where."""
    places = [str(fault.day) if fault.day else "", f"offset {fault.offset}" if fault.offset is not None else ""]
    where = ", ".join(filter(None, places))
    return f"{fault.check}: {f'{where}: ' if where else ''}{fault.message}"


def _print_pair(fault: "Fault") -> None:
    """A record as it is on either side; `*` marks the fields that differ."""
    topic, vendor = fault.topic or {}, fault.vendor or {}
    differ = [name for name in topic if vendor and topic[name] != vendor.get(name)] if topic else []
    rows = [
        ("*" if name in differ else "", name, _value(topic.get(name)), _value(vendor.get(name)))
        for name in topic or vendor
    ]
    place = "" if fault.offset is None else f" at offset {fault.offset}"
    print_table(("", "field", "topic", "vendor"), rows, title=f"\n{fault.check}{place}")


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return "" if value is None else str(value)


def _utc(moment: datetime | None) -> str:
    return _value(moment)


def _as_json(verifier: "Verifier", reports: "list[TopicReport]", *, holds: bool) -> dict[str, Any]:
    manifest = verifier.manifest
    topics = [
        {
            "topic": report.topic,
            "state": report.state,
            "holds": report.holds,
            "records": report.records,
            "days": {str(day): count for day, count in report.days.items()},
            "empty_days": report.empty_days,
            "first_ts_event": report.first_ts_event,
            "last_ts_event": report.last_ts_event,
            "faults": [_fault_as_json(fault) for fault in report.faults],
            "notes": report.notes,
        }
        for report in reports
    ]
    return {"backtest_id": manifest.backtest_id, "state": manifest.state, "holds": holds, "topics": topics}


def _fault_as_json(fault: "Fault") -> dict[str, Any]:
    from dataclasses import asdict

    return {name: value for name, value in asdict(fault).items() if value is not None}
