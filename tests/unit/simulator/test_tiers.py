from datetime import date

import pytest

from simulator.refusal import Refusal
from simulator.tiers import Account
from stoculus.settings import Tier


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
    Account("standard").check_depth(date(2016, 1, 1), "stock/history/ohlc")

    with pytest.raises(Refusal, match="403") as caught:
        Account("standard").check_depth(date(2015, 12, 31), "stock/history/ohlc")

    assert "a professional subscription, but you only have a STANDARD" in caught.value.body


def test_value_has_no_interval_below_a_minute() -> None:
    Account("value").check_interval(60_000, "stock/history/ohlc")
    with pytest.raises(Refusal):
        Account("value").check_interval(1_000, "stock/history/ohlc")


def test_options_go_back_further_on_value_than_stocks() -> None:
    Account("value").check_depth(date(2020, 1, 1), "option/history/quote")
    with pytest.raises(Refusal, match="403"):
        Account("value").check_depth(date(2020, 1, 1), "stock/history/quote")
    with pytest.raises(Refusal, match="403"):
        Account("value").check_depth(date(2019, 12, 31), "option/history/quote")


@pytest.mark.parametrize(
    ("path", "tier", "needed"),
    [
        ("option/list/contracts/quote", "free", "value"),
        ("option/history/open_interest", "free", "value"),
        ("option/history/greeks/first_order", "value", "standard"),
        ("option/history/greeks/all", "standard", "professional"),
        ("option/history/trade_greeks/first_order", "standard", "professional"),
    ],
)
def test_each_option_endpoint_has_its_tier(path: str, tier: Tier, needed: str) -> None:
    with pytest.raises(Refusal) as caught:
        Account(tier).check_path(path)

    assert caught.value.body == (
        f"Requesting an option endpoint requiring a {needed} subscription,"
        f" but you only have a {tier.upper()} subscription. Please consider upgrading!"
    )
