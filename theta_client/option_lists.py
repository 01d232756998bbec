"""Rows of the vendor's option lists: expirations, strikes, contracts. None is what no OSI symbol can hold."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from stoculus.instruments import OptionContract, Right, parse_root

CONTRACT_COLUMNS: Final = ("symbol", "expiration", "strike", "right")
_RIGHTS: Final[Mapping[str, Right]] = {"CALL": "call", "PUT": "put", "C": "call", "P": "put"}
_OSI_YEARS: Final = range(2000, 2100)
_OSI_STRIKES: Final = range(100_000_000)


def expiration_of(row: Mapping[str, str]) -> date | None:
    """The `expiration` of a row."""
    return _expiration(row["expiration"])


def strike_of(row: Mapping[str, str]) -> int | None:
    """The `strike` of a row in thousandths of a dollar."""
    return _thousandths(row["strike"])


def contract_reader(root: str) -> Callable[[Mapping[str, str]], OptionContract | None]:
    """What reads the rows of a list of this root's contracts; a row of another root raises ValueError."""
    canonical = parse_root(root)

    def contract_of(row: Mapping[str, str]) -> OptionContract | None:
        if row["symbol"].replace("/", ".") != canonical:
            raise ValueError(f"a contract of {row['symbol']} among those of {root}")
        expiration, strike = _expiration(row["expiration"]), _thousandths(row["strike"])
        right = _RIGHTS.get(row["right"].upper())
        if right is None:
            raise ValueError(f"right {row['right']}")
        if expiration is None or strike is None:
            return None
        return OptionContract(canonical, expiration, strike, right)

    return contract_of


@lru_cache(maxsize=8192)
def _expiration(text: str) -> date | None:
    day = date.fromisoformat(text)
    return day if day.year in _OSI_YEARS else None


@lru_cache(maxsize=8192)
def _thousandths(text: str) -> int | None:
    try:
        thousandths = Decimal(text) * 1000
        whole = int(thousandths)
    except ArithmeticError as error:  # no number, or infinite
        raise ValueError(f"strike {text}") from error
    return whole if whole == thousandths and whole in _OSI_STRIKES else None
