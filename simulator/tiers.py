"""What an account's subscription allows (rest.md 5, 7.2, 8, 10.11)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from simulator.parameters import INTERVALS_MS
from simulator.refusal import Refusal
from stoculus.settings import Tier

RANKS: Final[dict[Tier, int]] = {"free": 0, "value": 1, "standard": 2, "pro": 3}
CONCURRENT: Final[dict[Tier, int]] = {"free": 1, "value": 2, "standard": 4, "pro": 8}
# PRO sees all that there is: before 2012-06-01 is nothing, for everybody.
FIRST_ACCESS: Final[dict[str, dict[Tier, date]]] = {
    "stock": {
        "free": date(2023, 6, 1),
        "value": date(2021, 1, 1),
        "standard": date(2016, 1, 1),
        "pro": date.min,
    },
    "option": {
        "free": date(2023, 6, 1),
        "value": date(2020, 1, 1),
        "standard": date(2016, 1, 1),
        "pro": date.min,
    },
}
NEEDED: Final[dict[str, Tier]] = {
    "stock/history/ohlc": "value",
    "stock/history/quote": "value",
    "stock/history/trade": "standard",
    "stock/history/trade_quote": "standard",
    "option/list/contracts/trade": "value",
    "option/list/contracts/quote": "value",
    "option/history/ohlc": "value",
    "option/history/quote": "value",
    "option/history/open_interest": "value",
    "option/history/trade": "standard",
    "option/history/trade_quote": "standard",
    "option/history/greeks/eod": "standard",
    "option/history/greeks/first_order": "standard",
    "option/history/greeks/implied_volatility": "standard",
    "option/history/greeks/all": "pro",
    "option/history/greeks/second_order": "pro",
    "option/history/greeks/third_order": "pro",
    "option/history/trade_greeks/all": "pro",
    "option/history/trade_greeks/first_order": "pro",
    "option/history/trade_greeks/second_order": "pro",
    "option/history/trade_greeks/third_order": "pro",
    "option/history/trade_greeks/implied_volatility": "pro",
    "calendar/on_date": "value",
    "calendar/year_holidays": "value",
}


@dataclass(frozen=True, slots=True)
class Account:
    """The subscription that the terminal is logged in with."""

    tier: Tier

    def check_path(self, path: str) -> None:
        """403 where the endpoint needs a higher tier."""
        self._need(NEEDED.get(path, "free"), path)

    def check_interval(self, interval_ms: int, path: str) -> None:
        """403 where the interval is too fine."""
        if interval_ms < INTERVALS_MS["1m"]:
            self._need("standard", path)

    def check_depth(self, start: date, path: str) -> None:
        """403 where any part of the range lies before the first day of the tier."""
        first_access = FIRST_ACCESS[path.partition("/")[0]]
        if start < first_access[self.tier]:
            self._need(next(tier for tier in RANKS if first_access[tier] <= start), path)

    def _need(self, needed: Tier, path: str) -> None:
        if RANKS[self.tier] < RANKS[needed]:
            name = "professional" if needed == "pro" else needed
            kind = path.partition("/")[0]
            article = "an" if kind[0] in "aeiou" else "a"
            raise Refusal(
                403,
                f"Requesting {article} {kind} endpoint requiring a {name} subscription,"
                f" but you only have a {self.tier.upper()} subscription. Please consider upgrading!",
            )
