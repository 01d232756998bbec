"""Requests for option history as the vendor spells them (rest.md 4, 5 and 6.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from theta_client.requests import day_params, day_text, days_text, time_params
from theta_client.windows import INTERVAL_MINUTES, OptionKind, Window, halves

WILDCARD_KINDS: Final[frozenset[OptionKind]] = frozenset(
    {"eod", "trade", "quote", "trade_quote", "open_interest", "greeks/eod", "trade_greeks/all"}
)
"""The kinds that may be asked for all expirations at once, one day at a time; only they know `max_dte`."""

_WHOLE_DAY_KINDS: Final = frozenset({"ohlc", "eod", "greeks/eod", "open_interest"})


@dataclass(frozen=True, slots=True)
class OptionRequest:
    """One GET of `/v3/option/history/<kind>`; None is `*` for expiration and strike, else not sent.

    `root` as the vendor spells it. `interval` in the vendor's spelling (`1m`, `tick`), for ohlc, quote and greeks other
    than EOD. `strike_range`: that many strikes above and below the spot; `max_dte`: calendar days to expiration.
    """

    kind: OptionKind
    root: str
    window: Window
    expiration: date | None = None
    strike_thousandths: int | None = None
    right: Literal["call", "put", "both"] = "both"
    interval: str | None = None
    strike_range: int | None = None
    max_dte: int | None = None

    @property
    def path(self) -> str:
        """See Request."""
        return f"option/history/{self.kind}"

    @property
    def params(self) -> dict[str, str]:
        """See Request."""
        optional = {"interval": self.interval, "strike_range": self.strike_range, "max_dte": self.max_dte}
        return (
            {
                "symbol": self.root,
                "expiration": "*" if self.expiration is None else day_text(self.expiration),
                "strike": self._strike,
                "right": self.right,
            }
            | day_params(self.window)
            | time_params(self.window)
            | {name: str(value) for name, value in optional.items() if value is not None}
            | self._model_params()
            | {"format": "csv"}
        )

    def _model_params(self) -> dict[str, str]:
        if self.kind == "trade_quote":
            return {"exclusive": "false"}  # the quote at or before the trade
        if "greeks" not in self.kind:
            return {}
        return {"rate_type": "sofr", "version": "latest"} | (
            {"underlyer_use_nbbo": "false"} if self.kind == "greeks/eod" else {}
        )

    def parts(self) -> Iterator["OptionRequest"]:
        """See Request. By days, then calls before puts, then by time: the rows of a contract stay in time order.

        Bars of one day stay whole, because their vwap runs from the start of the request; a grid is halved at one of
        its points.
        """
        if len(self.window.days) == 1 and self.right == "both":
            yield replace(self, right="call")
            yield replace(self, right="put")
            return
        step_minutes = INTERVAL_MINUTES.get(self.interval or "", 1)
        for window in halves(self.window, by_time=self.kind not in _WHOLE_DAY_KINDS, step_minutes=step_minutes) or ():
            yield replace(self, window=window)

    @property
    def _strike(self) -> str:
        thousandths = self.strike_thousandths
        return "*" if thousandths is None else f"{thousandths // 1000}.{thousandths % 1000:03d}"

    def __str__(self) -> str:
        expiration = "*" if self.expiration is None else f"{self.expiration}"
        contracts = f"{self.root} {expiration} {self._strike} {self.right}"
        return " ".join(filter(None, (self.path, contracts, self.interval, days_text(self.window))))
