from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.options.synthetic_chains import ROOTS, TEST_EXPIRATION, listing, terms
from simulator.sources.synthetic import FIRST_DAY
from stoculus.calendar import LAST_DAY, trading_days
from stoculus.instruments import parse_root

SOME_ROOTS = ("AAPL", "BRKB", "IBM", "LOAD", "QQQ", "SPX", "SPXW", "SPY", "XSP")
NEAR_THE_END = LAST_DAY - timedelta(days=80)  # expirations after the calendar's end are not known


def test_roots_are_spelled_as_opra_does() -> None:
    assert list(ROOTS) == sorted(ROOTS)
    assert {"AAPL", "BRKB", "LOAD", "SPX", "SPXW", "SPY", "XSP"} <= set(ROOTS)
    for root in ROOTS:
        assert parse_root(root) == root
        assert len(root) <= 6


def test_monthly_expirations_before_2015_are_dated_saturday() -> None:
    weekly = terms("weekly")

    assert [str(day) for day in weekly][:3] == ["2012-06-01", "2012-06-08", "2012-06-16"]
    assert weekly[date(2012, 6, 16)].last == date(2012, 6, 15)
    assert date(2012, 6, 15) not in weekly
    assert date(2015, 1, 17) in weekly
    assert date(2015, 2, 20) in weekly
    assert date(2012, 6, 15) in terms("index_daily")


def test_a_week_of_good_friday_expires_on_thursday() -> None:
    for cycle in ("monthly", "weekly", "daily", "index_daily", "index_monthly"):
        assert date(2025, 4, 17) in terms(cycle)
        assert date(2025, 4, 18) not in terms(cycle)


def test_options_of_the_index_settled_at_the_open_have_no_data_on_their_last_day() -> None:
    third_friday = date(2024, 1, 19)

    assert terms("index_monthly")[third_friday].last == date(2024, 1, 18)
    assert terms("index_daily")[third_friday].last == third_friday


def test_each_day_is_an_expiration_since_may_2022_only() -> None:
    tuesdays = {day for day in terms("index_daily") if day.weekday() == 1}

    assert min(tuesdays) == date(2022, 5, 17)
    assert {date(2022, 5, 9), date(2022, 5, 11), date(2022, 5, 13)} < set(terms("index_daily"))


def test_there_is_no_listing_of_a_test_expiration() -> None:
    assert listing(ROOTS["SPXW"], TEST_EXPIRATION) is None


def test_load_has_ten_expirations_of_250_strikes_on_any_trading_day() -> None:
    held = terms("load")
    firsts = np.array([term.first.toordinal() for term in held.values()])
    lasts = np.array([term.last.toordinal() for term in held.values()])
    for day in trading_days(FIRST_DAY, NEAR_THE_END):
        assert ((firsts <= day.toordinal()) & (lasts >= day.toordinal())).sum() == 10
    for expiration in list(held)[::25]:
        found = listing(ROOTS["LOAD"], expiration)
        assert found is not None
        for day in found.days:
            strikes = found.strikes(day)
            assert len(strikes) == 250
            assert strikes.min() > 0


def test_the_chain_of_the_design_is_alive() -> None:
    found = listing(ROOTS["SPXW"], date(2024, 1, 5))

    assert found is not None
    for day in trading_days(date(2024, 1, 2), date(2024, 1, 5)):
        assert set(range(4_600_000, 4_800_001, 5_000)) < set(found.strikes(day).tolist())


@st.composite
def expirations(draw: st.DrawFn) -> tuple[str, date]:
    root = draw(st.sampled_from(SOME_ROOTS))
    return root, draw(st.sampled_from(list(terms(ROOTS[root].cycle))))


@settings(deadline=None)
@given(expirations())
def test_strikes_are_added_and_never_taken_away(what: tuple[str, date]) -> None:
    root, expiration = what
    found = listing(ROOTS[root], expiration)
    assert found is not None

    before: set[int] = set()
    for day in found.days:
        strikes = found.strikes(day).tolist()
        assert before <= set(strikes)
        assert strikes == sorted(set(strikes))
        assert strikes[0] > 0
        assert strikes[0] / 1000 < ROOTS[root].level(day) < strikes[-1] / 1000
        before = set(strikes)
    for strike in sorted(before)[::20]:
        listed = [day for day in found.days if found.has(strike, day)]
        assert listed == found.days[-len(listed) :]


@settings(deadline=None)
@given(expirations(), st.integers(1, 2_000))
def test_nothing_is_listed_before_the_first_day_or_after_the_last(what: tuple[str, date], away: int) -> None:
    root, expiration = what
    found = listing(ROOTS[root], expiration)
    assert found is not None
    strike = int(found.strikes(found.days[-1])[0])

    for day in (found.days[0] - timedelta(days=away), found.days[-1] + timedelta(days=away)):
        assert not found.has(strike, day)
        assert not len(found.strikes(day))
    assert found.days[-1] <= expiration
    assert expiration - found.days[-1] <= timedelta(days=4)


@pytest.mark.parametrize("root", ["SPX", "AAPL"])
def test_what_is_no_step_is_no_strike(root: str) -> None:
    found = listing(ROOTS[root], date(2024, 1, 19))

    assert found is not None
    assert not found.has(int(found.strikes(found.days[-1])[0]) + 1, found.days[-1])
