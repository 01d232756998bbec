"""A backtest as pictures: each topic by what it holds, and the coverage of all."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
from matplotlib.figure import Figure

from stoculus import calendar
from stoculus.checkpoints import Checkpoint
from stoculus.errors import InvalidRequest
from stoculus.plot import coverage
from stoculus.plot.axis import Hours, MarketAxis, Span
from stoculus.plot.canvas import Panel, compose, group
from stoculus.plot.chains import ChainSeries
from stoculus.plot.numbers import COLUMNS, Counted, TopicNumbers
from stoculus.plot.page import page, svg, table
from stoculus.plot.stocks import StockSeries
from stoculus.reading.backtest import BacktestLog
from stoculus.reading.feed import Feed
from stoculus.reading.manifest import Manifest
from stoculus.reading.read import polled
from stoculus.reading.source import Request, open_feeds
from stoculus.reading.times import MarketTime
from stoculus.settings import ClientSettings, Connections

MOST_TOPICS: Final = 24
_EXTENDED: Final = (time(4), time(20))
_DPI: Final = 130


class Series(Protocol):
    """What a topic's records become."""

    def add(self, batch: pa.RecordBatch) -> None: ...

    def panels(self) -> list[Panel]: ...

    @property
    def span(self) -> tuple[float, float] | None: ...

    @property
    def mean_spread_bps(self) -> float | None: ...

    @property
    def contracts(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class BacktestPlot:
    """What a backtest looks like: `figure` in a notebook, `save` as a file, `numbers` beside it."""

    backtest_id: str
    state: str
    about: str
    axis: MarketAxis
    numbers: list[TopicNumbers]
    panels: list[list[Panel]]

    @property
    def title(self) -> str:
        return f"Backtest {self.backtest_id}, {self.state}"

    @property
    def notes(self) -> list[str]:
        """Why topics are not complete and days are empty."""
        return coverage.notes(self.numbers)

    def figure(self) -> Figure:
        """All in one figure."""
        panels = [panel for topic in self.panels for panel in topic]
        covered = coverage.coverage_panel(self.axis, self.numbers)
        return compose([*panels, covered], self.title, self.about, coverage.shortened(self.notes))

    def html(self) -> str:
        """A page with the pictures in it, and the numbers as tables."""
        sections = [
            (numbers.topic, svg(compose(panels), numbers.topic))
            for numbers, panels in zip(self.numbers, self.panels, strict=True)
        ]
        covered = compose([coverage.coverage_panel(self.axis, self.numbers)])
        sections.append(("Coverage", svg(covered, "coverage") + table(*self._day_table())))
        sections.append(("Numbers", table(COLUMNS, [numbers.as_texts() for numbers in self.numbers])))
        return page(self.title, self.about, sections)

    def save(self, path: Path) -> None:
        """Write a `.png` or a `.html` file, in the place of one that is there; raise InvalidRequest for others."""
        if path.suffix == ".html":
            path.write_text(self.html(), encoding="utf-8")
        elif path.suffix == ".png":
            self.figure().savefig(path, dpi=_DPI)
        else:
            raise InvalidRequest(f"{path} is neither .png nor .html.", remedy="Name such a file.", field="to")

    def as_json(self) -> dict[str, Any]:
        """The numbers as JSON has them."""
        told = {"backtest_id": self.backtest_id, "state": self.state}
        return told | {"topics": [numbers.as_json() for numbers in self.numbers]}

    def _day_table(self) -> tuple[list[str], list[list[str]]]:
        columns = ["day", *(f">{numbers.symbol} {numbers.schema}" for numbers in self.numbers)]
        rows = []
        for day in self.axis.days:
            counts = (numbers.counted.days.get(day, 0) for numbers in self.numbers)
            reasons = (numbers.empty.get(day, "") for numbers in self.numbers)
            cells = [f"{count:,}" if count else reason for count, reason in zip(counts, reasons, strict=True)]
            rows.append([str(day), *cells])
        return columns, rows


def plot_backtest(
    backtest_id: str | int,
    *,
    topics: Sequence[str] | None = None,
    start: MarketTime | None = None,
    end: MarketTime | None = None,
    settings: Connections | None = None,
) -> BacktestPlot:
    """Read a backtest, or some topics and a part of its time, and make pictures of it; arguments as `stoculus.read`.

    What is committed now is drawn, whatever the state: a backtest that failed is worth a look. Memory does not grow
    with the number of records. Raise NotFound, InvalidRequest (more than MOST_TOPICS topics, a time without a session),
    BrokerUnavailable, TopicLost.
    """
    where = settings or ClientSettings.load(os.environ)
    request = Request.of(str(backtest_id), topics=topics, start=start, end=end, partial=True)
    span_us = request.span_us
    with BacktestLog(where.kafka, str(backtest_id)) as log:
        manifest, checkpoints = log.manifest, log.checkpoints
    if (count := len(manifest.chosen(topics))) > MOST_TOPICS:
        raise InvalidRequest(
            f"{count} topics are too many for one picture.",
            remedy=f"Choose at most {MOST_TOPICS} of them: --topic.",
            field="topics",
        )
    axis = _axis(manifest, span_us)
    numbers, panels = [], []
    with open_feeds(request, where) as feeds:
        for feed in feeds:
            series, counted = _read(feed, axis)
            checkpoint = checkpoints.get(feed.topic)
            holes = [day for day in axis.days if day not in counted.days]
            empty = {day: _why_empty(day, manifest, checkpoint, is_part=any(span_us)) for day in holes}
            numbers.append(_numbers(feed, series, counted, empty, manifest, checkpoint))
            about = f"{feed.topic}   {counted.records:,} records"
            panels.append(group(series.panels(), f"{feed.symbol} {feed.schema.name}", about))
    days = f"{axis.days[0]:%Y-%m-%d} to {axis.days[-1]:%Y-%m-%d}"
    session = manifest.request["session"]
    records = sum(each.counted.records for each in numbers)
    about = f"{days}, {session} session, New York time; topics: {len(numbers)}, records: {records:,}"
    return BacktestPlot(manifest.backtest_id, manifest.state, about, axis, numbers, panels)


def _read(feed: Feed, axis: MarketAxis) -> tuple[Series, Counted]:
    series: Series = ChainSeries(feed.schema, axis) if feed.schema.asset == "option" else StockSeries(feed.schema, axis)
    counted = Counted()
    for batch in polled(feed):
        counted.add(batch, axis)
        series.add(batch)
    return series, counted


def _axis(manifest: Manifest, span_us: Span) -> MarketAxis:
    asked = manifest.request
    days = calendar.trading_days(date.fromisoformat(asked["start"]), date.fromisoformat(asked["end"]))
    late = next(
        (entry.symbol for entry in manifest.topics if entry.symbol in calendar.LATE_ROOTS and "Option" in entry.record),
        None,
    )

    def hours(day: date) -> Hours:
        if asked["session"] == "extended":
            return _EXTENDED
        return calendar.option_session_hours(late, day, "regular") if late else calendar.session_hours(day, "regular")

    return MarketAxis.of(days, hours, span_us)


def _numbers(
    feed: Feed,
    series: Series,
    counted: Counted,
    empty: dict[date, str],
    manifest: Manifest,
    checkpoint: Checkpoint | None,
) -> TopicNumbers:
    lowest, highest = series.span or (None, None)
    failure = checkpoint.failure if checkpoint else None
    return TopicNumbers(
        topic=feed.topic,
        symbol=feed.symbol,
        schema=feed.schema.name,
        state=checkpoint.state if checkpoint and checkpoint.state != "running" else manifest.state,
        counted=counted,
        lowest=lowest,
        highest=highest,
        mean_spread_bps=series.mean_spread_bps,
        contracts=series.contracts,
        empty=empty,
        remark=" ".join([failure.message] if failure else checkpoint.warnings if checkpoint else []),
    )


def _why_empty(day: date, manifest: Manifest, checkpoint: Checkpoint | None, *, is_part: bool) -> str:
    if checkpoint and day in checkpoint.empty_days:
        return checkpoint.empty_days[day]
    if checkpoint and day in checkpoint.days and is_part:
        return "no records in the part that is drawn"
    if manifest.state in ("queued", "running", "paused"):
        return coverage.NOT_YET
    return coverage.MISSING
