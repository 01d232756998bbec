from datetime import date

import pytest

from simulator.parameters import History
from simulator.refusal import Refusal
from simulator.tiers import Account


def request(start: date, interval_ms: int = 60_000) -> History:
    return History("ohlc", "AAPL", start, date(2024, 1, 31), "csv", interval_ms=interval_ms)


def test_a_tier_that_is_too_low_is_told_which_it_needs() -> None:
    with pytest.raises(Refusal) as caught:
        Account("value").check_path("stock/history/trade")

    assert caught.value.status == 403
    assert caught.value.body == (
        "Requesting a stock endpoint requiring a standard subscription, but you only have a VALUE subscription."
        " Please consider upgrading!"
    )


def test_free_has_eod_and_lists_but_no_bars() -> None:
    Account("free").check_path("stock/history/eod")
    Account("free").check_path("stock/list/symbols")
    with pytest.raises(Refusal):
        Account("free").check_path("stock/history/ohlc")


def test_a_range_that_begins_before_the_first_day_is_refused_whole() -> None:
    Account("standard").check_history(request(date(2016, 1, 1)), "stock/history/ohlc")

    with pytest.raises(Refusal, match="403") as caught:
        Account("standard").check_history(request(date(2015, 12, 31)), "stock/history/ohlc")

    assert "a professional subscription, but you only have a STANDARD" in caught.value.body


def test_value_has_no_interval_below_a_minute() -> None:
    Account("value").check_history(request(date(2024, 1, 2)), "stock/history/ohlc")
    with pytest.raises(Refusal):
        Account("value").check_history(request(date(2024, 1, 2), interval_ms=1_000), "stock/history/ohlc")
