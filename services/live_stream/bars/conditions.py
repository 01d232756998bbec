"""What a trade of a condition updates in its bar: the vendor's table of trade conditions (rest.md 11.3)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Ints = NDArray[Any]

_CODES: Final = 256
_UNKNOWN: Final = 255
"""No condition at the vendor; it updates nothing, as codes do that the table lacks."""


def _flags(*codes: int) -> Flags:
    flags = np.zeros(_CODES, np.bool_)
    flags[list(codes)] = True
    return flags


_EVERYTHING: Final = (
    *(0, 7, 10, 14, 18, 21, 22, 25, *range(29, 33), *range(34, 40), 45, 46, 47, *range(52, 56), 58, 63, 67, 71, 75, 76),
    *(*range(78, 84), 86, 87, 88, 95, 97, 100, *range(125, 147)),
)
_LAST_IF_FIRST: Final = (2, 5, 8, 13, 15, 96, 98)
_NOT_LAST: Final = (6, 17, 62, 99, 101, 102, 106)
_VOLUME_ONLY: Final = (1, 4, 9, 11, 12, 16, 20, 28, 33, 59, 60, 65, 77, 89, 105, 109, 115, 124, 147, 148)
_PRICES_ONLY: Final = (56, 117)
_HIGH_AND_LOW_ONLY: Final = (68, 69)
_HIGH_ONLY, _LOW_ONLY, _LAST_ONLY = 84, 85, 107

SETS_VOLUME: Final = _flags(*_EVERYTHING, *_LAST_IF_FIRST, *_NOT_LAST, *_VOLUME_ONLY)
"""By condition: size and count are added, and the price counts for vwap."""
_RANGE: Final = (*_EVERYTHING, *_LAST_IF_FIRST, *_NOT_LAST, *_PRICES_ONLY, *_HIGH_AND_LOW_ONLY)
SETS_HIGH: Final = _flags(*_RANGE, _HIGH_ONLY)
SETS_LOW: Final = _flags(*_RANGE, _LOW_ONLY)
SETS_LAST: Final = _flags(*_EVERYTHING, *_PRICES_ONLY, _LAST_ONLY)
SETS_FIRST: Final = SETS_LAST | _flags(*_LAST_IF_FIRST)
"""By condition: the price is the bar's open, and its close as long as nothing else sets the last, if it is first."""
SETS_ANYTHING: Final = SETS_VOLUME | SETS_HIGH | SETS_LOW | SETS_LAST


def table_codes(condition: Ints) -> Ints:
    """Conditions as places in the tables; those beyond it become one that updates nothing."""
    return np.where((condition >= 0) & (condition < _CODES), condition, _UNKNOWN)
