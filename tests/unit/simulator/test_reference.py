from datetime import datetime

import pytest

from simulator.clock import Clock
from simulator.reference import Reference
from simulator.refusal import Refusal
from simulator.sources.synthetic import Synthetic
from stoculus.calendar import NEW_YORK


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(Synthetic(), Clock(datetime(2024, 12, 24, 12, 0, tzinfo=NEW_YORK)))


def rows(reference: Reference, path: str, **query: str) -> list[tuple[str | None, ...]]:
    _, block = reference.endpoints[path](query)
    return list(zip(*block, strict=True))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("20240103", ("open", "09:30:00", "16:00:00")),
        ("20241224", ("early_close", "09:30:00", "13:00:00")),
        ("20241225", ("full_close", None, None)),
        ("20250109", ("full_close", None, None)),
        ("20240106", ("weekend", None, None)),
    ],
)
def test_a_day_has_its_type_and_hours(reference: Reference, day: str, expected: tuple[str | None, ...]) -> None:
    assert rows(reference, "calendar/on_date", date=day) == [expected]


def test_today_is_the_clocks(reference: Reference) -> None:
    assert rows(reference, "calendar/today") == [("early_close", "09:30:00", "13:00:00")]


def test_a_years_holidays_are_its_full_and_early_closes(reference: Reference) -> None:
    listed = rows(reference, "calendar/year_holidays", year="2024")

    assert ("2024-12-24", "early_close", "09:30:00", "13:00:00") in listed
    assert ("2024-12-25", "full_close", None, None) in listed
    assert len(listed) == 13


@pytest.mark.parametrize(("year", "status"), [("2011", 472), ("2026", 472), ("24", 400), ("next", 400)])
def test_the_calendar_ends_with_next_year(reference: Reference, year: str, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        rows(reference, "calendar/year_holidays", year=year)
    assert caught.value.status == status


def test_days_to_come_are_not_listed(reference: Reference) -> None:
    days = rows(reference, "stock/list/dates/trade", symbol="AAPL")

    assert (days[0], days[-1]) == (("2012-06-01",), ("2024-12-24",))


def test_dates_of_unknown_symbols_are_none_and_of_all_those_of_any(reference: Reference) -> None:
    assert rows(reference, "stock/list/dates/quote", symbol="NOPE") == []
    assert rows(reference, "stock/list/dates/quote", symbol="NOPE,BRK/B") == rows(
        reference, "stock/list/dates/quote", symbol="*"
    )
