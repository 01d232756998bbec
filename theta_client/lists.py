"""Small answers: symbol and date lists, and the vendor's calendar."""

import csv
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Literal, TypeVar, cast, get_args

from stoculus.errors import NoData, VendorAnswerMalformed
from theta_client.protocol import EVIDENCE_BYTES, plain_text

Value = TypeVar("Value")
CALENDAR_COLUMNS = ("type", "open", "close")
DayType = Literal["open", "early_close", "full_close", "weekend"]


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day of the vendor's calendar; `open` and `close` are New York times, None on closed days."""

    type: DayType
    open: time | None
    close: time | None


def parse_list(
    body: bytes, columns: Collection[str], read_row: Callable[[Mapping[str, str]], Value], request: str
) -> list[Value]:
    """The rows of a small CSV body, at least one, each by `read_row` (whose ValueError means that it is no such list).

    Raises NoData or VendorAnswerMalformed.
    """
    if b"no data found" in body[:EVIDENCE_BYTES].lower():
        raise NoData(f"Theta Terminal answered {request} with 200 and: {plain_text(body[:EVIDENCE_BYTES])}")
    try:
        rows = csv.DictReader(body.decode("utf-8-sig").splitlines(), strict=True)
        if not set(columns) <= set(rows.fieldnames or ()):
            raise ValueError(f"columns {rows.fieldnames}")
        values = [read_row(row) for row in rows]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:  # a short row has None in its last cells
        raise VendorAnswerMalformed(
            f"Theta Terminal answered {request} with 200 and no list: {plain_text(body[:EVIDENCE_BYTES])}",
            remedy="Look at the terminal's log; restart it if this stays.",
            detail=f"{error!r}: {body[:EVIDENCE_BYTES].decode('utf-8', 'replace')}",
        ) from error
    if not values:
        raise NoData(f"Theta Terminal answered {request} with a header and no row.")
    return values


def day_of(row: Mapping[str, str]) -> date:
    """The `date` of a row."""
    return date.fromisoformat(row["date"])


def calendar_day_of(row: Mapping[str, str]) -> CalendarDay:
    """The hours of a calendar row."""
    if row["type"] not in get_args(DayType):
        raise ValueError(row["type"])
    return CalendarDay(cast(DayType, row["type"]), _time_or_none(row["open"]), _time_or_none(row["close"]))


def _time_or_none(text: str) -> time | None:
    return time.fromisoformat(text) if text else None
