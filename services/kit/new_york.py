"""New York wall time to UTC, by columns."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa

from stoculus.calendar import NEW_YORK

UTC_US: Final = pa.timestamp("us", "UTC")
_DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Int64s = np.ndarray[Any, np.dtype[np.int64]]


def to_utc(local: pa.TimestampArray) -> pa.TimestampArray:
    """Naive New York times (timestamp[us], nulls stay) to UTC; of a doubled hour the first is taken."""
    micros: _Int64s = local.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    if not len(micros):
        return cast(pa.TimestampArray, local.cast(UTC_US))
    days = micros // _DAY_US
    shift = np.empty_like(micros)
    for day in np.unique(days):
        rows = days == day
        first, last = _offset_us(day * _DAY_US), _offset_us((day + 1) * _DAY_US - 1)
        shift[rows] = first if first == last else [_offset_us(at) for at in micros[rows]]
    mask = local.is_null().to_numpy(zero_copy_only=False) if local.null_count else None
    return cast(pa.TimestampArray, pa.array(micros - shift, pa.int64(), mask=mask).cast(UTC_US))


def _offset_us(local_us: int) -> int:
    wall = (_EPOCH + timedelta(microseconds=int(local_us))).replace(tzinfo=NEW_YORK)
    offset = wall.utcoffset()
    assert offset is not None  # noqa: S101 - NEW_YORK always has one
    return int(offset.total_seconds()) * 1_000_000


def days_of(ts_event: pa.TimestampArray) -> _Int64s:
    """The New York day of each UTC time, as days since the epoch. Times must not be null."""
    micros: _Int64s = ts_event.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if not len(micros):
        return micros
    # Fast path: on nearly every batch one offset holds from the first to the last row.
    first, last = _offset_of_utc(micros[0]), _offset_of_utc(micros[-1])
    if first == last and micros[-1] - micros[0] < 60 * _DAY_US:
        return (micros + first) // _DAY_US
    return np.array([(at + _offset_of_utc(at)) // _DAY_US for at in micros], np.int64)


def _offset_of_utc(utc_us: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=int(utc_us))).astimezone(NEW_YORK).utcoffset()
    assert offset is not None  # noqa: S101 - NEW_YORK always has one
    return int(offset.total_seconds()) * 1_000_000
