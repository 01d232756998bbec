"""`stoculus export`: a backtest as Parquet, CSV or JSON files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stoculus.cli import completing
from stoculus.cli.backtests.asking import Id
from stoculus.cli.connections import settings
from stoculus.cli.output import Json, print_json
from stoculus.export import Format

if TYPE_CHECKING:
    from rich.console import Console

    from stoculus.export.backtest import Step
    from stoculus.export.manifest import ExportManifest, Series


def export(
    backtest_id: Id,
    to: Annotated[Path, typer.Option(help="The folder that has a folder for each backtest.")] = Path("exports"),
    form: Annotated[Format, typer.Option("--format", help="json: an object a line.")] = Format.PARQUET,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this topic; may be named again for more. Others can follow later.",
            autocompletion=completing.topics,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a backtest to files: one for each topic and New York day.

    They are <to>/<backtest>/<asset>/<symbol>/<schema>/<day>.<format>, and
    <to>/<backtest>/manifest.json says what there is. Times are UTC. A backtest
    that runs is followed to its end. Each topic is checked against its
    receipt. What was interrupted, however, goes on where it was when the same
    command is given again; files that are there are not written again.

    stoculus.read("file:exports/42") gives the same as stoculus.read("42").

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus export 42
      stoculus export 42 --to /data --format csv
      stoculus export 42 --topic stock-aapl-quote-historical-42 --json
    """
    from rich.console import Console

    from stoculus.export.backtest import export_backtest

    console = Console(highlight=False, stderr=as_json)
    steps = 0
    with (_bar if console.is_terminal else _lines)(console) as show:

        def on_step(step: "Step") -> None:
            nonlocal steps
            steps += 1
            show(step)

        try:
            manifest = export_backtest(settings(), backtest_id, to, form, topic, on_step)
        except KeyboardInterrupt:
            typer.echo("Not all is exported. The same command again goes on where it was.", err=True)
            raise
    summary = _summary(manifest, to)
    if as_json:
        print_json(summary)
        return
    verb = "exported" if steps else "was exported already"
    typer.echo(
        f"Backtest {backtest_id} {verb}: {summary['records']:,} records in {_files(summary['files'])}, "
        f"{summary['bytes'] / 1e6:,.1f} MB, in {summary['folder']}"
    )


def _summary(manifest: "ExportManifest", to: Path) -> dict[str, Any]:
    series = [_series_summary(each) for each in manifest.series]
    totals = {name: sum(each[name] for each in series) for name in ("records", "files", "bytes")}
    folder = str(to / manifest.backtest_id)
    about = {"backtest_id": manifest.backtest_id, "folder": folder, "format": manifest.format}
    return about | {"complete": manifest.complete} | totals | {"series": series}


def _series_summary(series: "Series") -> dict[str, Any]:
    return {
        "topic": series.topic,
        "complete": series.complete,
        "records": sum(file.records for file in series.files),
        "files": len(series.files),
        "bytes": sum(file.bytes for file in series.files),
        "first_ts_event": series.first_ts_event,
        "last_ts_event": series.last_ts_event,
    }


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


@contextmanager
def _lines(console: "Console") -> Iterator[Callable[["Step"], None]]:
    """A line for each topic that is done."""

    def show(step: "Step") -> None:
        if step.completed is not None:
            told = _series_summary(step.completed)
            console.print(f"{step.topic}: {told['records']:,} records in {_files(told['files'])}", soft_wrap=True)

    yield show


@contextmanager
def _bar(console: "Console") -> Iterator[Callable[["Step"], None]]:
    """One bar for all topics, with the one that is under way."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} / {task.total:,.0f} records"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=0)

        def show(step: "Step") -> None:
            total = max(step.expected, step.records)
            progress.update(task, description=step.topic, completed=step.records, total=total)

        yield show
