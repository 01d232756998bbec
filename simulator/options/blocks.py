"""Pieces of several contracts to the columns of one block; greeks are computed for all its rows at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator.cells import UNITS_PER_DOLLAR, Cell, Text, four_decimals
from simulator.formats import Block
from simulator.market import Ints
from simulator.options.greeks import greeks, implied_vol, midpoint
from simulator.options.parameters import Model, OptionHistory
from simulator.options.pieces import Piece
from stoculus.instruments import OptionContract

_THOUSANDTHS: Final = 1_000
_UNSOLVED: Final = 100.0
_CUTS: Final = 3


def batches(pieces: Iterable[Piece], most_rows: int) -> Iterator[list[Piece]]:
    """Runs of pieces with at most so many rows; a longer piece comes in parts."""
    batch: list[Piece] = []
    rows = 0
    for piece in pieces:
        for part in piece.parts(most_rows):
            if batch and rows + len(part) > most_rows:
                yield batch
                batch, rows = [], 0
            batch.append(part)
            rows += len(part)
    if batch:
        yield batch


def contract_columns(batch: Sequence[Piece]) -> Block:
    """Symbol, expiration, strike and right of each row."""
    contracts = [piece.contract for piece in batch]
    index: Any = pa.array(np.repeat(np.arange(len(batch), dtype=np.int32), [len(piece) for piece in batch]))
    columns = zip(*map(contract_texts, contracts), strict=True)
    return [pa.DictionaryArray.from_arrays(index, pa.array(words)) for words in columns]


def contract_texts(contract: OptionContract) -> tuple[str, str, str, str]:
    """Symbol, expiration, strike and right as the terminal writes them."""
    return contract.root, str(contract.expiration), strike_text(contract.strike_thousandths), contract.right.upper()


def strike_text(thousandths: int) -> str:
    """Dollars with three decimals."""
    return f"{thousandths // _THOUSANDTHS}.{thousandths % _THOUSANDTHS:03d}"


def row_columns(request: OptionHistory, batch: Sequence[Piece]) -> Block:
    """The columns of the request's table."""
    table = request.table
    columns: list[Any] = [np.concatenate(column) for column in zip(*(piece.columns for piece in batch), strict=True)]
    if table.greeks:
        *columns, price, years, spot_time, spot = columns
        names = [name for name, cell in table.columns if cell is not Cell.GREEK and name != "midpoint"][:-2]
        known = dict(zip(names, columns, strict=True))
        known |= {"underlying_timestamp": spot_time, "underlying_price": spot}
        known |= _solved(request, _Inputs.of(batch, price, years, spot), known)
    else:
        known = dict(zip((name for name, _ in table.columns), columns, strict=True))
    if table.reports:
        known |= _one_scale({name: known[name] for name, cell in table.columns if cell is Cell.NUMBER})
    return [known[name] for name, _ in table.columns]


def _solved(request: OptionHistory, inputs: "_Inputs", known: dict[str, Any]) -> dict[str, Any]:
    """The greeks that the table has."""
    if request.kind != "greeks/implied_volatility":
        return inputs.greeks(request.model) if len(request.table.greeks) > 2 else inputs.volatilities(request.model)
    solved = {"iv_error": inputs.volatilities(request.model)["iv_error"]}
    for side, name in (("bid", "bid_implied_vol"), ("midpoint", "implied_vol"), ("ask", "ask_implied_vol")):
        one_side = inputs if side == "midpoint" else replace(inputs, price=known[side] / UNITS_PER_DOLLAR)
        volatility = one_side.volatilities(request.model)
        # This table shows 0 where there is no price, the others 0.25.
        solved[name] = np.where(volatility["iv_error"] < _UNSOLVED, volatility["implied_vol"], 0.0)
    return solved | {"midpoint": midpoint(known["bid"], known["ask"])}


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What greeks are computed from, a value a row, in dollars and years."""

    is_call: NDArray[np.bool_]
    price: NDArray[np.float64]
    spot: NDArray[np.float64]
    strike: NDArray[np.float64]
    years: NDArray[np.float64]

    @classmethod
    def of(cls, batch: Sequence[Piece], price: Ints, years: Ints, spot: Ints) -> "_Inputs":
        lengths = [len(piece) for piece in batch]
        is_call = np.repeat([piece.contract.right == "call" for piece in batch], lengths)
        strike = np.repeat([piece.contract.strike for piece in batch], lengths)
        return cls(is_call, price, spot / UNITS_PER_DOLLAR, strike, years)

    def greeks(self, model: Model) -> dict[str, Any]:
        return dict(greeks(**self._arguments(model)))

    def volatilities(self, model: Model) -> dict[str, Any]:
        volatility, error = implied_vol(**self._arguments(model))
        return {"implied_vol": volatility, "iv_error": error}

    def _arguments(self, model: Model) -> dict[str, Any]:
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return columns | {"rate": model.rate, "dividend": model.dividend_dollars / self.spot}


def _one_scale(prices: dict[str, Ints]) -> dict[str, Text]:
    """Texts of prices of which all of a row have the decimals that one of them needs: two, three or four."""
    units = np.stack(list(prices.values()))
    cut = np.where((units % 10).any(axis=0), 0, np.where((units % 100).any(axis=0), 1, 2))
    return {name: _cut(column, cut) for name, column in prices.items()}


def _cut(units: Ints, cut: Ints) -> Text:
    encoded: Any = pa.array(units * _CUTS + cut).dictionary_encode()
    keys = encoded.dictionary.to_pylist()
    words = [four_decimals(key // _CUTS)[: -(key % _CUTS) or None] for key in keys]
    return pa.array(words, pa.string()).take(encoded.indices)
