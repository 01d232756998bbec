"""Made-up rows on their way through the kit."""

from datetime import date, datetime, time
from typing import cast

import pyarrow as pa

from services.kit.new_york import UTC_US
from services.kit.prepare import Prepared
from stoculus.calendar import to_utc
from theta_client.client import BadRow, Window

KEY = b"AAPL"
DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]


def window(*days: date, start_time: time | None = time(9, 30), end_time: time | None = time(16)) -> Window:
    return Window(days[0], days[-1], days, start_time, end_time)


def prepared(
    times: list[datetime], *, bad: list[BadRow] | None = None, empty_rows: int = 0, raw_bytes: int = 100
) -> Prepared:
    """Rows at the given times, each with a body of its own."""
    bodies = pa.array([b"body of %s" % moment.isoformat().encode() for moment in times], pa.binary())
    return Prepared(KEY, cast(pa.TimestampArray, pa.array(times, UTC_US)), bodies, bad or [], empty_rows, raw_bytes)


def times_of(rows: Prepared) -> list[datetime]:
    """The event times of rows."""
    return cast(list[datetime], rows.ts_event.to_pylist())


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """New York time, as UTC."""
    return to_utc(day, time(hour, minute))
