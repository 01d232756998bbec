"""How a record looks on a tape: a line of New York time, instrument, and what matters of its schema."""

from collections.abc import Callable
from typing import Any, Final

from rich.text import Text

from stoculus.calendar import NEW_YORK
from stoculus.cli.tape.source import Event

Row = dict[str, Any]

# The vendor's abbreviations of the exchanges that stocks and options are commonly traded on.
_EXCHANGES: Final = {
    1: "NQEX", 3: "NYSE", 4: "AMEX", 5: "CBOE", 6: "ISEX", 7: "PACF", 8: "CINC", 9: "PHIL", 11: "BOST", 17: "CHIC",
    22: "MRCY", 29: "NQBS", 31: "GEMI", 42: "C2", 43: "MIAX", 46: "EMLD", 47: "NQBX", 57: "NQNX", 59: "NTRF",
    60: "BATS", 63: "BATY", 64: "EDGE", 65: "EDGX", 68: "IEX", 69: "PERL", 73: "MEMX", 75: "LTSE",
}  # fmt: skip
_CONDITIONS: Final = {
    0: "", 1: "form T", 2: "out of sequence", 6: "opening, out of sequence", 18: "auto", 21: "reopening",
    40: "cancelled", 41: "last cancelled", 42: "open cancelled", 43: "cancelled", 44: "cancelled", 51: "official close",
    63: "on close", 66: "official open", 95: "sweep", 97: "reopening", 98: "closing", 115: "odd lot",
    125: "auction", 126: "auction, sweep", 127: "cross", 128: "cross, sweep", 129: "floor", 130: "multi-leg",
    131: "multi-leg auction", 132: "multi-leg cross", 133: "multi-leg floor", 148: "extended hours",
}  # fmt: skip
_SYMBOL_WIDTH: Final = 6
_CONTRACT_WIDTH: Final = 26
_KIND_WIDTH: Final = 5
_PRICE_WIDTH: Final = 9


def _price(dollars: float) -> str:
    """At least cents, and what the vendor says beyond."""
    text = f"{dollars:.4f}"
    return f"{text[:-2] if text.endswith('00') else text.rstrip('0'):>{_PRICE_WIDTH}}"


def _trade(row: Row) -> str:
    condition = row["condition"]
    told = _CONDITIONS.get(condition, f"condition {condition}")
    return f"{_price(row['price'])} x {row['size']:<6,} {_exchange(row['exchange'])}  {told}".rstrip()


def _exchange(code: int) -> str:
    return f"{_EXCHANGES.get(code, code):<4}"


def _quote(row: Row) -> str:
    bid, ask = (f"{_price(row[side])} x {row[f'{side}_size']:<5,}" for side in ("bid", "ask"))
    return f"{bid}/{ask}".rstrip()


def _bar(row: Row) -> str:
    prices = "".join(f" {name[0]}{_price(row[name])}" for name in ("open", "high", "low", "close"))
    return f"{prices.strip()}  v {row['volume']:,}"


def _greeks(row: Row) -> str:
    greeks = "  ".join(f"{name} {row[name]:.4f}" for name in ("delta", "gamma", "theta", "vega") if name in row)
    return f"{greeks}  {_volatility(row)}"


def _volatility(row: Row) -> str:
    return f"iv {row['implied_vol']:.4f}"


def _sides(row: Row) -> str:
    return f"{_price(row['bid'])} / {_price(row['ask']).strip()}"


def _interest(row: Row) -> str:
    return f"{row['open_interest']:,} open"


_SHOWN: Final[dict[str, tuple[str, tuple[Callable[[Row], str], ...]]]] = {
    "Trade": ("trade", (_trade,)),
    "Quote": ("quote", (_quote,)),
    "TradeQuote": ("trade", (_trade, _quote)),
    "Ohlcv": ("bar", (_bar,)),
    "Eod": ("eod", (_bar, _quote)),
    "OpenInterest": ("oi", (_interest,)),
    "GreeksFirstOrder": ("greek", (_sides, _greeks)),
    "GreeksAll": ("greek", (_sides, _greeks)),
    "GreeksEod": ("greek", (_bar, _greeks)),
    "TradeGreeksAll": ("trade", (_trade, _greeks)),
    "ImpliedVolatility": ("iv", (_sides, _volatility)),
}
"""What is shown of a record type (without its asset): a word for it, and the parts of the line."""


def line(event: Event, now_us: int | None = None) -> Text:
    """The line of a record; with `now_us`, the wall clock, how long ago the vendor's message came in."""
    word, parts = _SHOWN[event.record.name.removeprefix("Stock").removeprefix("Option")]
    told = "  ".join(part(event.row) for part in parts)
    moment = event.row["ts_event"].astimezone(NEW_YORK)
    text = Text.assemble(
        (f"{moment:%Y-%m-%d} ", "dim"),
        f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  ",
        (_instrument(event.row), "bold"),
        (f"  {word:<{_KIND_WIDTH}} ", "dim"),
        told,
    )
    if event.origin in ("heal", "warmup"):
        text.append(f"  {event.origin}", "yellow")
    if now_us is not None and event.ingest_us is not None:
        text.append(f"  {_age(now_us - event.ingest_us)}", "cyan")
    return text


def _instrument(row: Row) -> str:
    if "strike" not in row:
        return f"{row['symbol']:<{_SYMBOL_WIDTH}}"
    contract = f"{row['root']} {row['expiration']} {row['strike']:g} {row['right'][0]}"
    return f"{contract:<{_CONTRACT_WIDTH}}"


def _age(age_us: int) -> str:
    return f"{age_us / 1000:.1f} ms" if age_us < 1_000_000 else f"{age_us / 1_000_000:.1f} s"
