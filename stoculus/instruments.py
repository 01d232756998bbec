"""Instruments and their canonical forms."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

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


Right = Literal["call", "put"]

_ROOT = re.compile(r"[A-Z][A-Z0-9.]{0,5}")
_OSI = re.compile(r"([A-Z][A-Z0-9.]{0,5}) *(\d{2})(\d{2})(\d{2})([CP])(\d{8})")
_OSI_ROOT_LENGTH: Final = 6


def parse_root(text: str, *, field: str = "root") -> str:
    """Read an option root as OPRA spells it (`SPXW`); raise InvalidRequest where it cannot be one."""
    root = text.strip().upper().replace("/", ".")
    if not text.isascii() or not _ROOT.fullmatch(root):
        raise InvalidRequest(
            f"{text[:40]!r} is not an option root.",
            remedy="A root has 1 to 6 letters, digits or dots, such as SPXW or AAPL.",
            field=field,
        )
    return root


@dataclass(frozen=True, slots=True, order=True)
class OptionContract:
    """An option contract. Contracts order as a chain does: expiration, strike, calls before puts, for one root."""

    root: str
    expiration: date
    strike_thousandths: int
    right: Right

    @classmethod
    def parse(cls, text: str, *, field: str = "contract") -> "OptionContract":
        """Read an OSI symbol (`SPXW  240105C04700000`), with or without its blanks; raise InvalidRequest."""
        match = _OSI.fullmatch(text.strip().upper()) if text.isascii() else None
        try:
            if match:
                expiration = date(2000 + int(match[2]), int(match[3]), int(match[4]))
                return cls(match[1], expiration, int(match[6]), "call" if match[5] == "C" else "put")
        except ValueError:
            pass
        raise InvalidRequest(
            f"{text[:40]!r} is not an OSI symbol.",
            remedy="Write root, yymmdd, C or P, and the strike in thousandths of a dollar: SPXW  240105C04700000.",
            field=field,
        )

    @property
    def osi(self) -> str:
        """The OSI symbol: 21 characters, the root padded to six."""
        letter = "C" if self.right == "call" else "P"
        return f"{self.root:<{_OSI_ROOT_LENGTH}}{self.expiration:%y%m%d}{letter}{self.strike_thousandths:08d}"

    @property
    def strike(self) -> float:
        """Dollars."""
        return self.strike_thousandths / 1000
