from datetime import date, time, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.calendar import Session, option_session_hours, session_hours, trading_days
from theta_client.windows import INTERVAL_MINUTES, Kind, OptionKind, Window, halves, plan_option_windows, plan_windows

days_of_history = st.dates(date(2012, 6, 1), date(2026, 11, 20))
kinds = st.sampled_from(
    [("eod", None), ("ohlc", "1m"), ("ohlc", "1s"), ("quote", "1h"), ("quote", "tick"), ("trade", None)]
)


def spans(windows: list[Window]) -> list[tuple[str, str]]:
    return [(f"{window.start}", f"{window.end}") for window in windows]


def test_a_day_of_anything_fine_stands_alone() -> None:
    for kind, interval in (("trade", None), ("trade_quote", None), ("quote", "tick"), ("ohlc", "30s")):
        windows = plan_windows(kind, interval, date(2024, 1, 2), date(2024, 1, 4), "extended")  # type: ignore[arg-type]
        assert [window.days for window in windows] == [(date(2024, 1, 2),), (date(2024, 1, 3),), (date(2024, 1, 4),)]


def test_minute_bars_go_28_days_at_a_time_without_closed_days() -> None:
    windows = plan_windows("ohlc", "1m", date(2024, 1, 1), date(2024, 2, 29), "extended")
    assert spans(windows) == [("2024-01-02", "2024-01-29"), ("2024-01-30", "2024-02-26"), ("2024-02-27", "2024-02-29")]
    assert date(2024, 1, 15) not in windows[0].days  # Martin Luther King day


def test_a_leap_year_of_eod_is_two_windows_because_366_days_are_refused() -> None:
    windows = plan_windows("eod", None, date(2024, 1, 2), date(2025, 1, 1), "regular")
    assert spans(windows) == [("2024-01-02", "2024-12-31")]
    windows = plan_windows("eod", None, date(2023, 12, 31), date(2024, 12, 31), "regular")
    assert spans(windows) == [("2024-01-02", "2024-12-31")]
    windows = plan_windows("eod", None, date(2020, 1, 2), date(2021, 1, 4), "regular")
    assert spans(windows) == [("2020-01-02", "2020-12-31"), ("2021-01-04", "2021-01-04")]
    assert windows[0].start_time is None
    assert windows[0].end_time is None


def test_a_half_day_stands_apart_and_ends_at_one() -> None:
    windows = plan_windows("ohlc", "1m", date(2015, 12, 21), date(2015, 12, 29), "regular")
    assert spans(windows) == [("2015-12-21", "2015-12-23"), ("2015-12-24", "2015-12-24"), ("2015-12-28", "2015-12-29")]
    assert [window.end_time for window in windows] == [time(16), time(13), time(16)]
    assert {window.start_time for window in windows} == {time(9, 30)}


def test_extended_hours_do_not_end_early_on_a_half_day() -> None:
    [window] = plan_windows("ohlc", "1m", date(2015, 12, 21), date(2015, 12, 29), "extended")
    assert (window.start_time, window.end_time) == (time(0), time(23, 59, 59, 999_000))


def test_closed_days_only_give_no_window() -> None:
    assert plan_windows("trade", None, date(2024, 1, 13), date(2024, 1, 15), "regular") == []


@settings(deadline=None)
@given(days_of_history, st.integers(0, 800), kinds, st.sampled_from(["regular", "extended"]))
def test_windows_hold_each_trading_day_once_in_order(
    start: date, span: int, what: tuple[Kind, str | None], session: Session
) -> None:
    end = min(start + timedelta(days=span), date(2026, 11, 20))
    windows = plan_windows(*what, start, end, session)
    assert [day for window in windows for day in window.days] == trading_days(start, end)
    for window in windows:
        longest = 365 if what[0] == "eod" else 28 if what[1] in ("1m", "1h") else 1
        assert (window.end - window.start).days < longest
        assert (window.start, window.end) == (window.days[0], window.days[-1])
        if what[0] != "eod":
            assert {session_hours(day, session) for day in window.days} == {(window.start_time, window.end_time)}


@settings(deadline=None)
@given(
    days_of_history,
    st.integers(0, 400),
    st.sampled_from(get_args(OptionKind)),
    st.sampled_from(["AAPL", "SPXW"]),
    st.sampled_from(["regular", "extended"]),
    st.booleans(),
)
def test_option_windows_hold_each_trading_day_once_in_order(
    start: date, span: int, kind: OptionKind, root: str, session: Session, by_day: bool
) -> None:
    end = min(start + timedelta(days=span), date(2026, 11, 20))
    windows = plan_option_windows(kind, root, start, end, session, by_day=by_day)
    assert [day for window in windows for day in window.days] == trading_days(start, end)
    for window in windows:
        assert (window.start, window.end) == (window.days[0], window.days[-1])
        longest = 365 if kind in ("eod", "greeks/eod") and not by_day else 1
        assert (window.end - window.start).days < longest
        timeless = kind in ("eod", "greeks/eod", "open_interest")
        hours = (None, None) if timeless else option_session_hours(root, window.start, session)
        assert (window.start_time, window.end_time) == hours


def test_options_of_indexes_end_a_quarter_of_an_hour_later() -> None:
    days = date(2015, 12, 23), date(2015, 12, 24)
    spxw = plan_option_windows("quote", "SPXW", *days, "regular", by_day=True)
    goog = plan_option_windows("quote", "GOOG", *days, "regular", by_day=True)
    assert [window.end_time for window in spxw] == [time(16, 15), time(13, 15)]
    assert [window.end_time for window in goog] == [time(16), time(13)]


def test_eod_of_named_contracts_goes_a_year_at_a_time() -> None:
    windows = plan_option_windows("greeks/eod", "SPXW", date(2023, 1, 3), date(2024, 1, 5), "regular", by_day=False)
    assert spans(windows) == [("2023-01-03", "2024-01-02"), ("2024-01-03", "2024-01-05")]


def test_a_window_of_days_is_halved_by_days() -> None:
    [window] = plan_windows("ohlc", "1m", date(2024, 1, 2), date(2024, 1, 8), "regular")
    parts = halves(window, by_time=False)
    assert parts
    assert [part.days for part in parts] == [window.days[:2], window.days[2:]]


def test_a_day_of_bars_cannot_be_halved() -> None:
    [window] = plan_windows("ohlc", "1m", date(2024, 1, 2), date(2024, 1, 2), "regular")
    assert halves(window, by_time=False) is None
    [eod] = plan_windows("eod", None, date(2024, 1, 2), date(2024, 1, 2), "regular")
    assert halves(eod, by_time=True) is None


@pytest.mark.parametrize("session", ["regular", "extended"])
def test_a_day_of_ticks_is_halved_to_the_minute_without_gap_or_overlap(session: Session) -> None:
    pending = plan_windows("trade", None, date(2015, 12, 24), date(2015, 12, 24), session)
    first, last = pending[0].start_time, pending[0].end_time
    leaves: list[tuple[int, int]] = []
    while pending:
        window = pending.pop()
        parts = halves(window, by_time=True)
        pending.extend(reversed(parts or ()))
        if not parts:
            leaves.append((milliseconds(window.start_time), milliseconds(window.end_time)))
    assert (leaves[0][0], leaves[-1][1]) == (milliseconds(first), milliseconds(last))
    assert all(after[0] == before[1] + 1 for before, after in pairwise(leaves))
    assert all(0 < end - start <= 60_000 for start, end in leaves)


@pytest.mark.parametrize("interval", INTERVAL_MINUTES)
@pytest.mark.parametrize("root", ["AAPL", "SPXW"])
@pytest.mark.parametrize("session", ["regular", "extended"])
def test_a_grid_keeps_its_points_when_halved(interval: str, root: str, session: Session) -> None:
    step_minutes = INTERVAL_MINUTES[interval]
    pending = plan_option_windows("quote", root, date(2015, 12, 24), date(2015, 12, 24), session, by_day=True)
    whole = grid_ms(pending[0], step_minutes)
    points: list[int] = []
    while pending:
        window = pending.pop()
        parts = halves(window, by_time=True, step_minutes=step_minutes)
        pending.extend(reversed(parts or ()))
        if not parts:
            points += grid_ms(window, step_minutes)
    assert points == whole


def grid_ms(window: Window, step_minutes: int) -> list[int]:
    return list(range(milliseconds(window.start_time), milliseconds(window.end_time) + 1, step_minutes * 60_000))


def milliseconds(at: time | None) -> int:
    assert at is not None
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000 + at.microsecond // 1000
