"""Market times as readers are asked for them, and slices of market time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoculus.calendar import DAY_START, NEW_YORK, epoch_us, market_time_us, to_utc_us
from stoculus.errors import InvalidRequest
from stoculus.reading.feed import Int64s, times_us
from stoculus.records.catalog import INTERVAL_US

MarketTime = str | date | datetime
"""ISO text, a New York day, or a moment; text and moments without a zone are New York's."""

DAY: Final = "1d"
EPOCH_DAY: Final = date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000


def start_us(moment: MarketTime) -> int:
    """Microseconds since the epoch of a moment, or of a day's midnight in New York. Raise InvalidRequest."""
    if isinstance(moment, str):
        return market_time_us(moment, field="start")
    if isinstance(moment, datetime):
        return epoch_us(moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK))
    return to_utc_us(moment, DAY_START)


def end_us(moment: MarketTime) -> int:
    """The same of an end, which is excluded; a day is included, as everywhere in the suite: the next midnight."""
    day = _as_day(moment)
    return start_us(moment) if day is None else to_utc_us(day + timedelta(days=1), DAY_START)


def _as_day(moment: MarketTime) -> date | None:
    if isinstance(moment, datetime):
        return None
    if isinstance(moment, date):
        return moment
    try:
        return date.fromisoformat(moment)
    except ValueError:
        return None


def sliced(batches: Iterable[pa.RecordBatch], every: str) -> Iterator[pa.RecordBatch]:
    """The records of one feed anew, a batch for each minute, hour, … or `1d`: day of New York that has records.

    Raise InvalidRequest for a length that the vendor has not, but for days.
    """
    if every != DAY and every not in INTERVAL_US:
        raise InvalidRequest(
            f"{every[:20]!r} is no length of time.",
            remedy=f"Use one of {', '.join(INTERVAL_US)}, {DAY}.",
            field="every",
        )
    held: list[pa.RecordBatch] = []
    held_number: int | None = None
    for batch in batches:
        # Either ascends, as the times do.
        numbers = new_york_days(batch["ts_event"]) if every == DAY else times_us(batch) // INTERVAL_US[every]
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for first, stop in pairwise(edges):
            number = int(numbers[first])
            if held and number != held_number:
                yield joined(held)
                held = []
            held_number = number
            held.append(batch.slice(first, stop - first))
    if held:
        yield joined(held)


def new_york_days(times: "pa.Array[Any]") -> Int64s:
    """The New York day of each time (timestamp, UTC) as days since the epoch."""
    zoned: Any = times.cast(pa.timestamp("us", str(NEW_YORK)))
    local_us: Int64s = pc.local_timestamp(zoned).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return local_us // _DAY_US


def joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of at least one with the same columns."""
    if len(parts) == 1:
        return parts[0]
    [whole] = pa.Table.from_batches(parts).combine_chunks().to_batches()
    return whole
