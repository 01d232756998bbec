"""How the terminal spells values: columns of numbers to columns of text (rest.md 3.6)."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

UNITS_PER_DOLLAR = 10_000
# Text columns are Arrow string arrays; their stubs know less than the functions take.
Text = Any
_SMALL = 10_000
# So that 0.29 is not cut off to 0.2899.
_ROUNDING = 1e-6
_TIME_WIDTH = len("2024-01-02T09:30:00.000")


class Cell(Enum):
    """What a column holds. Prices are integers of 1/10000 dollar."""

    TIME = "New York wall time: datetime64[ms]"
    INTEGER = "integer"
    TRADE_PRICE = "four decimals"
    QUOTE_PRICE = "two decimals, four where needed"
    BAR_PRICE = "three decimals, four where needed, 0.0 for none"
    OPTION_BAR_PRICE = "two decimals, four where needed, 0.0 for none"
    VWAP = "two decimals"
    FLOAT = "as many decimals as needed, at least one"
    GREEK = "a float, cut off after four decimals"
    NUMBER = "a number that is text already"
    TEXT = "text, or None"


def four_decimals(units: int) -> str:
    """A price of 1/10000 dollars with four decimals."""
    return f"{units // UNITS_PER_DOLLAR}.{units % UNITS_PER_DOLLAR:04d}"


def _quote_price(units: int) -> str:
    text = four_decimals(units)
    return text if units % 100 else text[:-2]


def _bar_price(units: int) -> str:
    if units == 0:
        return "0.0"
    text = four_decimals(units)
    return text if units % 10 else text[:-1]


def _option_bar_price(units: int) -> str:
    return _quote_price(units) if units else "0.0"


def _float(units: int) -> str:
    whole, _, decimals = four_decimals(units).partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


def _vwap(units: int) -> str:
    return four_decimals((units + 50) // 100 * 100)[:-2]


_PRICES: dict[Cell, Callable[[int], str]] = {
    Cell.TRADE_PRICE: four_decimals,
    Cell.QUOTE_PRICE: _quote_price,
    Cell.BAR_PRICE: _bar_price,
    Cell.OPTION_BAR_PRICE: _option_bar_price,
    Cell.VWAP: _vwap,
    Cell.FLOAT: _float,
}


def spell(cell: Cell, values: Any, *, json: bool, quoted: bool, trimmed: bool, suffix: str = "") -> Text:
    """The column as text; `suffix` ends each cell (the line end, in the last column). A constant may be a scalar.

    An Arrow dictionary array is spelled by its dictionary.
    """
    if isinstance(values, pa.DictionaryArray):
        words = values.dictionary.to_pylist()
        return spell(cell, words, json=json, quoted=quoted, trimmed=trimmed, suffix=suffix).take(values.indices)
    if cell is Cell.GREEK:
        return _wrap(_four_decimals(values), "", suffix)
    if cell is Cell.TIME:
        text = _times(values, trimmed=json or trimmed)
        return _wrap(text, '"', '"' + suffix) if json else _wrap(text, "", suffix)
    if cell is Cell.NUMBER:
        return _wrap(pa.array(values, pa.string()), "", suffix)
    if cell is Cell.TEXT:
        return _texts(values, mark='"' if json or quoted else "", missing="null" if json else "", suffix=suffix)
    if cell is Cell.INTEGER:
        return _integers(np.asarray(values), suffix)
    return _by_dictionary(values, _PRICES[cell], suffix)


def _integers(values: NDArray[Any], suffix: str) -> Text:
    low, high = int(values.min()), int(values.max())
    if low == high and len(values) > 1:
        return pa.scalar(f"{low}{suffix}")
    if low >= 0 and high < _SMALL:
        return _small_integers(suffix).take(pa.array(values))
    return _wrap(pc.cast(pa.array(values), pa.string()), "", suffix)


@lru_cache(maxsize=4)
def _small_integers(suffix: str) -> Text:
    return pa.array([f"{number}{suffix}" for number in range(_SMALL)])


def _four_decimals(values: NDArray[np.float64]) -> Text:
    scaled = np.nan_to_num(values) * UNITS_PER_DOLLAR
    units = np.trunc(scaled + np.copysign(_ROUNDING, scaled)).astype(np.int64)
    # The two halves of a 128-bit decimal.
    words = np.stack([units, units >> 63], axis=1)
    decimals = pa.Array.from_buffers(pa.decimal128(38, 4), len(units), [None, pa.py_buffer(words.data)])
    return pc.cast(decimals, pa.string())


def _by_dictionary(values: Any, spelling: Callable[[int], str], suffix: str) -> Text:
    # A day has few different prices: each is spelled once.
    encoded = pa.array(values).dictionary_encode()
    words = pa.array([spelling(value) + suffix for value in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def _times(values: NDArray[np.datetime64], *, trimmed: bool) -> Text:
    text: Text = pc.cast(pa.array(values, pa.timestamp("ms")), pa.string())
    letters = np.frombuffer(text.buffers()[2], np.uint8, count=len(values) * _TIME_WIDTH).copy()
    letters.reshape(len(values), _TIME_WIDTH)[:, 10] = ord("T")
    text = pa.StringArray.from_buffers(len(values), text.buffers()[1], pa.py_buffer(letters.data))
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".") if trimmed else text


def _texts(values: Sequence[str | None], *, mark: str, missing: str, suffix: str) -> Text:
    words = [missing if value is None else mark + value + mark for value in values]
    return pa.array([word + suffix for word in words], pa.string())


def _wrap(text: Text, before: str, after: str) -> Text:
    if not before and not after:
        return text
    return join([pa.scalar(before), text, pa.scalar(after)], "")


def join(cells: Sequence[Text], separator: str) -> Text:
    """The cells of each row in one text."""
    function: Any = pc.binary_join_element_wise
    return function(*cells, separator)
