"""Query parameters of option requests (rest.md 4, 6)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from simulator.formats import Format
from simulator.market import DAY_MS
from simulator.options.tables import TABLES, OptionTable
from simulator.parameters import Query, choice, day, days, flag, interval_ms, output_format, required, times_ms
from simulator.refusal import Refusal
from stoculus.instruments import OptionContract, Right

RATES_PERCENT: Final = {
    "sofr": 4.36,
    "treasury_m1": 5.4,
    "treasury_m3": 5.4,
    "treasury_m6": 5.2,
    "treasury_y1": 4.8,
    "treasury_y2": 4.3,
    "treasury_y3": 4.1,
    "treasury_y5": 4.0,
    "treasury_y7": 4.0,
    "treasury_y10": 4.0,
    "treasury_y20": 4.3,
    "treasury_y30": 4.1,
}
"""Made-up rates, the same on all days; synthetic prices are made with the first."""
_RIGHTS: Final[dict[str, tuple[Right, ...]]] = {
    "call": ("call",),
    "c": ("call",),
    "put": ("put",),
    "p": ("put",),
    "both": ("call", "put"),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Which contracts of a root; None: all. The strike range counts strikes round the spot."""

    root: str
    expiration: date | None
    strike_thousandths: int | None
    rights: tuple[Right, ...]
    max_dte: int | None = None
    strike_range: int | None = None

    def holds(self, contract: OptionContract, day: date) -> bool:
        """Whether the contract is meant, but for the strike range."""
        return (
            self.expiration in (None, contract.expiration)
            and self.strike_thousandths in (None, contract.strike_thousandths)
            and contract.right in self.rights
            and (self.max_dte is None or (contract.expiration - day).days <= self.max_dte)
        )


@dataclass(frozen=True, slots=True)
class Model:
    """What greeks are computed with: a yearly rate as a fraction, dollars of dividend a year, the vendor's version."""

    rate: float
    dividend_dollars: float
    version: str


@dataclass(frozen=True, slots=True)
class OptionHistory:
    """A history request. Times are milliseconds of the New York day; both dates and both times are included."""

    kind: str
    chain: Chain
    start: date
    end: date
    format: Format
    start_ms: int = 0
    end_ms: int = DAY_MS - 1
    interval_ms: int = 0
    exclusive: bool = True
    model: Model = Model(RATES_PERCENT["sofr"] / 100, 0.0, "latest")

    @property
    def symbol(self) -> str:
        """The root."""
        return self.chain.root

    @property
    def table(self) -> OptionTable:
        """What is asked for."""
        return TABLES[self.kind]


def option_history(kind: str, query: Query) -> OptionHistory:
    """Read a history request; 400 where an argument is missing, malformed or beyond a limit."""
    table = TABLES[kind]
    asked = chain(query, any_expiration=table.any_expiration)
    form = output_format(query)
    start, end = days(query, eod=table.reports)
    if asked.expiration is None and start != end:
        raise Refusal(400, "expiration=* is available only for single-day requests")
    if table.daily:
        return OptionHistory(kind, asked, start, end, form, model=model(query))
    interval = interval_ms(query, start, end, ticks=kind != "ohlc") if table.at_interval else 0
    exclusive = flag(query, "exclusive", default=True)
    return OptionHistory(kind, asked, start, end, form, *times_ms(query), interval, exclusive, model(query))


def chain(query: Query, *, any_expiration: bool) -> Chain:
    """The contracts that are asked for; `expiration=*` and `max_dte` only where the endpoint has them."""
    root = root_of(required(query, "symbol"))
    every = required(query, "expiration") == "*"
    if every and not any_expiration:
        raise Refusal(400, "Wildcard expiration is not supported by this endpoint")
    return Chain(
        root=root,
        expiration=None if every else day(query, "expiration"),
        strike_thousandths=_strike(query),
        rights=_RIGHTS[choice(query, "right", tuple(_RIGHTS), "both")],
        max_dte=whole_number(query, "max_dte", least=0) if any_expiration else None,
        strike_range=whole_number(query, "strike_range", least=1),
    )


def root_of(symbol: str) -> str:
    """The root as the sources spell it."""
    return symbol.strip().replace("/", ".")


def whole_number(query: Query, name: str, *, least: int) -> int | None:
    """A number that may be absent."""
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise _bad(query, name)
    return int(text)


def model(query: Query) -> Model:
    """How greeks are to be computed."""
    rate_type = choice(query, "rate_type", tuple(RATES_PERCENT), "sofr")
    return Model(
        rate=_decimal(query, "rate_value", RATES_PERCENT[rate_type]) / 100,
        dividend_dollars=_decimal(query, "annual_dividend", 0.0),
        version=choice(query, "version", ("latest", "1"), "latest"),
    )


def _strike(query: Query) -> int | None:
    text = query.get("strike", "*")
    if text == "*":
        return None
    try:
        thousandths = Decimal(text) * 1000
    except InvalidOperation:
        raise _bad(query, "strike") from None
    if not thousandths.is_finite() or thousandths < 0 or thousandths >= 10**9 or thousandths % 1:
        raise _bad(query, "strike")
    return int(thousandths)


def _decimal(query: Query, name: str, default: float) -> float:
    text = query.get(name)
    if not text:
        return default
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _bad(query, name) from None
    if not number.is_finite():
        raise _bad(query, name)
    return float(number)


def _bad(query: Query, name: str) -> Refusal:
    return Refusal(400, f"Invalid value for parameter {name}: {query[name]}")
