from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.parameters import V2_NAMES, History, HistoryKind, covers, history, refuse_v2_names
from simulator.refusal import Refusal

DAY = {"symbol": "AAPL", "date": "20240103"}


def refused(kind: HistoryKind, **query: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        history(kind, query)
    return caught.value


def test_the_terminal_fills_in_its_defaults() -> None:
    request = history("quote", DAY)

    assert request == History(
        "quote", "AAPL", date(2024, 1, 3), date(2024, 1, 3), "csv", 34_200_000, 57_600_000, 1_000, exclusive=True
    )


def test_date_wins_over_the_pair() -> None:
    request = history("trade", {**DAY, "start_date": "20240201", "end_date": "20240202"})

    assert (request.start, request.end) == (date(2024, 1, 3), date(2024, 1, 3))


@pytest.mark.parametrize(
    ("text", "ms"),
    [("09:30:00", 34_200_000), ("15:45", 56_700_000), ("23:59:59.999", 86_399_999), ("9:30:00.5", 34_200_500)],
)
def test_times_may_be_short(text: str, ms: int) -> None:
    assert history("trade", {**DAY, "start_time": text, "end_time": "23:59:59.999"}).start_ms == ms


def test_a_slash_in_a_symbol_is_a_dot() -> None:
    assert history("trade", {**DAY, "symbol": "BRK/B"}).symbol == "BRK.B"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"date": "20240103"}, "symbol"),
        ({"symbol": "AAPL"}, "start_date"),
        ({**DAY, "date": "20240230"}, "date"),
        ({**DAY, "date": "3.1.2024"}, "date"),
        ({**DAY, "start_time": "25:00:00"}, "start_time"),
        ({**DAY, "start_time": "16:00:00", "end_time": "09:30:00"}, "start_time is after end_time"),
        ({**DAY, "interval": "2m"}, "interval"),
        ({**DAY, "format": "xml"}, "format"),
        ({**DAY, "venue": "nyse"}, "venue"),
        ({"symbol": "AAPL", "start_date": "20240105", "end_date": "20240103"}, "start_date is after end_date"),
    ],
)
def test_bad_arguments_are_400_and_named(query: dict[str, str], text: str) -> None:
    refusal = refused("quote", **query)

    assert refusal.status == 400
    assert text in refusal.body


def test_eod_takes_365_days_and_refuses_366() -> None:
    year = {"symbol": "AAPL", "start_date": "2023-01-01", "end_date": "2023-12-31"}
    assert history("eod", year).end == date(2023, 12, 31)

    refusal = refused("eod", symbol="AAPL", start_date="2024-01-01", end_date="2024-12-31")

    assert (refusal.status, refusal.body) == (400, "Too many days between start and end date")


def test_intraday_takes_a_month_and_sub_minute_intervals_a_day() -> None:
    month = {"symbol": "AAPL", "start_date": "20240101", "end_date": "20240131"}
    assert history("trade", month).end == date(2024, 1, 31)
    assert history("ohlc", {**month, "interval": "1m"}).interval_ms == 60_000

    assert refused("trade", **{**month, "end_date": "20240201"}).status == 400
    for interval in ("tick", "10ms", "30s"):
        assert refused("quote", **month, interval=interval).status == 400


def test_v2_names_are_410_with_the_vendors_text() -> None:
    with pytest.raises(Refusal) as caught:
        refuse_v2_names({"symbol": "AAPL", "exp": "20240119"})

    assert caught.value.status == 410
    assert caught.value.body == (
        "We have upgraded to API v3. Please use API v3 query parameters instead. \n"
        "Deprecated query parameters:\n\texp -> expiration\n"
        "Consult API v3 documentation for more information: https://docs.thetadata.us/"
    )
    assert len(caught.value.body) == 198


@given(st.sets(st.sampled_from(sorted(V2_NAMES)), min_size=1))
def test_each_v2_name_has_its_line(names: set[str]) -> None:
    with pytest.raises(Refusal) as caught:
        refuse_v2_names(dict.fromkeys(names, "1"))

    assert all(f"\n\t{name} -> {V2_NAMES[name]}\n" in caught.value.body for name in names)


def test_a_request_covers_the_days_of_its_range() -> None:
    year = {"start_date": "20240101", "end_date": "20241231"}

    assert covers(year, date(2024, 12, 31))
    assert not covers(year, date(2025, 1, 1))
    assert not covers({}, date(2024, 1, 1))
