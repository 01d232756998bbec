"""Tiers."""

import pytest

from simulator.stream.limits import judged
from simulator.stream.requests import Security, Subject, What
from stoculus.settings import Tier


@pytest.mark.parametrize(
    ("tier", "security", "what", "most"),
    [
        ("standard", "STOCK", "QUOTE", 1_000),
        ("standard", "OPTION", "TRADE", 15_000),
        ("pro", "STOCK", "TRADE", 20_000),
        ("pro", "OPTION", "QUOTE", 15_000),
        ("pro", "INDEX", "TRADE", 100),
    ],
)
def test_a_tier_holds_so_many(tier: Tier, security: Security, what: What, most: int) -> None:
    subject = Subject(security, what, "X")

    assert judged(tier, subject, most - 1) == "SUBSCRIBED"
    assert judged(tier, subject, most) == "MAX_STREAMS_REACHED"


@pytest.mark.parametrize("tier", ["free", "value"])
def test_a_low_tier_streams_nothing(tier: Tier) -> None:
    assert judged(tier, Subject("STOCK", "QUOTE", "X"), 0) == "INVALID_PERMS"


def test_the_whole_market_is_for_pro_and_trades_alone() -> None:
    assert judged("standard", Subject("OPTION", "TRADE", None), 0) == "INVALID_PERMS"
    assert judged("pro", Subject("OPTION", "TRADE", None), 0) == "SUBSCRIBED"
    assert judged("pro", Subject("STOCK", "QUOTE", None), 0) == "ERROR"
    assert judged("pro", Subject("INDEX", "QUOTE", "SPX"), 0) == "ERROR"
