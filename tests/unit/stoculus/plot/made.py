"""Records and axes for plots, made by columns."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa

from stoculus import calendar
from stoculus.plot.axis import MarketAxis
from stoculus.records.catalog import RecordType, record_type

MONDAY: Final = date(2024, 1, 8)
FRIDAY: Final = date(2024, 1, 12)
MINUTE_US: Final = 60_000_000


def axis(start: date = MONDAY, end: date = FRIDAY) -> MarketAxis:
    """The regular sessions of some days."""
    return MarketAxis.of(calendar.trading_days(start, end), lambda day: calendar.session_hours(day, "regular"))


def opens_us(day: date = MONDAY) -> int:
    return calendar.to_utc_us(day, calendar.OPEN)


def records(name: str, times_us: Sequence[int], **columns: Any) -> pa.RecordBatch:
    """Records of a type; columns that are not given are zero, or empty."""
    record: RecordType = record_type(name)
    count = len(times_us)
    return pa.RecordBatch.from_arrays(
        [_column(field, columns | {"ts_event": list(times_us)}, count) for field in record.arrow], schema=record.arrow
    )


def _column(field: "pa.Field[Any]", columns: dict[str, Any], count: int) -> Any:
    if field.name in columns:
        values = columns[field.name]
        return pa.array(values if isinstance(values, list) else [values] * count, field.type)
    if pa.types.is_string(field.type):
        return pa.array([""] * count)
    return pa.array([0] * count).cast(field.type) if not pa.types.is_date(field.type) else pa.nulls(count, field.type)


def chain(
    times_us: Sequence[int], strikes: Sequence[float], spot: float, expiration: date = FRIDAY, spread: float = 0.2
) -> pa.RecordBatch:
    """At each time the quotes of a call and a put of each strike: intrinsic value and 5 dollars."""
    rows = [(time_us, strike, right) for time_us in times_us for strike in strikes for right in ("CALL", "PUT")]
    middles = [5 + max(0.0, spot - strike if right == "CALL" else strike - spot) for _, strike, right in rows]
    return records(
        "OptionQuote",
        [time_us for time_us, *_ in rows],
        symbol=[f"{expiration}{right}{strike}" for _, strike, right in rows],
        expiration=expiration,
        strike=[strike for _, strike, _ in rows],
        right=[right for *_, right in rows],
        bid=[middle - spread / 2 for middle in middles],
        ask=[middle + spread / 2 for middle in middles],
    )
