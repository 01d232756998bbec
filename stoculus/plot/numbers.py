"""What a plot says in numbers beside the pictures."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from stoculus.calendar import NEW_YORK
from stoculus.plot.axis import MarketAxis
from stoculus.reading.feed import times_us


@dataclass(slots=True)
class Counted:
    """The records of a topic that were read: how many, from when to when (UTC), and by trading day."""

    records: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: dict[date, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch, axis: MarketAxis) -> None:
        """Count a batch."""
        times = batch["ts_event"]
        self.records += len(times)
        self.first = self.first or times[0].as_py()
        self.last = times[-1].as_py()
        counts = np.bincount(axis.day_numbers(times_us(batch)))
        for number in np.flatnonzero(counts):
            day = axis.days[number]
            self.days[day] = self.days.get(day, 0) + int(counts[number])


@dataclass(frozen=True, slots=True)
class TopicNumbers:
    """A row of the table. `lowest` and `highest` in USD, of what is drawn as price; None where nothing is.

    `empty`: trading days without records and why, as far as it is known. `remark`: what hinders the topic.
    """

    topic: str
    symbol: str
    schema: str
    state: str
    counted: Counted
    lowest: float | None
    highest: float | None
    mean_spread_bps: float | None
    contracts: int | None
    empty: dict[date, str]
    remark: str

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        days = {str(day): count for day, count in sorted(self.counted.days.items())}
        return {
            "topic": self.topic,
            "symbol": self.symbol,
            "schema": self.schema,
            "state": self.state,
            "records": self.counted.records,
            "first_ts_event": self.counted.first,
            "last_ts_event": self.counted.last,
            "lowest": self.lowest,
            "highest": self.highest,
            "mean_spread_bps": self.mean_spread_bps,
            "contracts": self.contracts,
            "days": days,
            "empty_days": {str(day): reason for day, reason in sorted(self.empty.items())},
            "remark": self.remark,
        }

    def as_texts(self) -> tuple[str, ...]:
        """The same by COLUMNS, times of New York."""
        return (
            self.topic,
            self.state,
            f"{self.counted.records:,}",
            str(len(self.counted.days)),
            _time(self.counted.first),
            _time(self.counted.last),
            *("" if price is None else f"{price:,.2f}" for price in (self.lowest, self.highest)),
            "" if self.mean_spread_bps is None else f"{self.mean_spread_bps:,.1f}",
            "" if self.contracts is None else f"{self.contracts:,}",
            self.remark,
        )


COLUMNS = (
    *("topic", "state", ">records", ">days", "first (New York)", "last (New York)"),
    *(">lowest", ">highest", ">spread, bp", ">contracts", "remarks"),
)
"""The names of the columns; those with a `>` are numbers."""


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}" if moment else ""
