"""Instruments and their canonical forms."""

import re
from dataclasses import dataclass

from stoculus.errors import InvalidRequest

_TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}")


@dataclass(frozen=True, slots=True, order=True)
class Stock:
    """A stock by its canonical ticker: upper case, share classes behind a dot (`BRK.B`)."""

    ticker: str

    @classmethod
    def parse(cls, text: str, *, field: str = "symbol") -> "Stock":
        """Read a ticker as people write it (`brk/b`); raise InvalidRequest where it cannot be one."""
        ticker = text.strip().upper().replace("/", ".")
        # `upper` makes ASCII of some letters that are none.
        if not text.isascii() or not _TICKER.fullmatch(ticker):
            raise InvalidRequest(
                f"{text[:40]!r} is not a ticker.",
                remedy="A ticker has 1 to 16 letters, digits, dots or dashes, such as AAPL or BRK.B.",
                field=field,
            )
        return cls(ticker)
