"""How much an account may stream (stream.md 5.1)."""

from typing import Final, Literal

from simulator.stream.requests import Security, Subject, What
from simulator.tiers import RANKS
from stoculus.settings import Tier

Word = Literal["SUBSCRIBED", "ERROR", "MAX_STREAMS_REACHED", "INVALID_PERMS"]

UNLIMITED: Final = 10**9
MOST: Final[dict[tuple[Security, What], tuple[int, int, int, int]]] = {
    ("STOCK", "QUOTE"): (0, 0, 1_000, 2_000),
    ("STOCK", "TRADE"): (0, 0, 1_000, 20_000),
    ("OPTION", "QUOTE"): (0, 0, 10_000, 15_000),
    ("OPTION", "TRADE"): (0, 0, 15_000, UNLIMITED),
    ("INDEX", "TRADE"): (0, 0, 3, 100),
    # Not documented: as many as quotes.
    ("STOCK", "MARKET_VALUE"): (0, 0, 1_000, 2_000),
    ("OPTION", "MARKET_VALUE"): (0, 0, 10_000, 15_000),
    ("INDEX", "MARKET_VALUE"): (0, 0, 3, 100),
}
"""Contracts at once, by tier from FREE to PRO."""


def judged(tier: Tier, subject: Subject, held: int) -> Word:
    """The answer to one more subscription where `held` others of its kind are under way."""
    rank = RANKS[tier]
    if subject.instrument is None:
        if subject.what != "TRADE" or subject.security == "INDEX":
            return "ERROR"  # not offered
        return "SUBSCRIBED" if tier == "pro" else "INVALID_PERMS"
    most = MOST.get((subject.security, subject.what))
    if most is None:
        return "ERROR"
    if not most[rank]:
        return "INVALID_PERMS"
    return "SUBSCRIBED" if held < most[rank] else "MAX_STREAMS_REACHED"
