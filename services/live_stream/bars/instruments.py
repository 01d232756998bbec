"""The instruments seen in records, by numbers."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]

IDENTITY: Final = ("symbol", "root", "expiration", "strike", "right")
"""The record columns that say of which instrument a row is; stocks have the first only."""


class Instruments:
    """Gives each instrument a number, in the order in which they come, and keeps its identity columns."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: an option lives some days, a process longer."""
        self._numbers: dict[str, int] = {}
        self._identities: list[pa.RecordBatch] = []
        self._places: Ints | None = None

    def numbers_of(self, rows: pa.RecordBatch) -> Ints:
        """The number of each row's instrument; `rows` are at least one."""
        encoded: Any = rows["symbol"].dictionary_encode()
        symbols, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        if not self._numbers.keys() >= set(symbols):
            self._learn(symbols, codes, rows)
        numbers: Ints = np.array([self._numbers[symbol] for symbol in symbols], np.int64)[codes]
        return numbers

    def columns(self, numbers: Ints) -> dict[str, Any]:
        """The identity columns of instruments."""
        rows = self._identity().take(numbers)
        return dict(zip(rows.schema.names, rows.columns, strict=True))

    def places_of(self, numbers: Ints) -> Ints:
        """Where instruments stand: stocks by ticker, options by root, expiration, strike, calls before puts."""
        if self._places is None:
            identity = self._identity()
            keys: list[tuple[str, Any]] = [(name, "ascending") for name in identity.schema.names[1:] or ("symbol",)]
            order = pc.sort_indices(identity, sort_keys=keys).to_numpy()
            self._places = np.empty(len(order), np.int64)
            self._places[order] = np.arange(len(order))
        return self._places[numbers]

    def _learn(self, symbols: list[str], codes: NDArray[Any], rows: pa.RecordBatch) -> None:
        first_rows = np.unique(codes, return_index=True)[1]
        new = [code for code, symbol in enumerate(symbols) if symbol not in self._numbers]
        for code in new:
            self._numbers[symbols[code]] = len(self._numbers)
        identity = rows.select([name for name in IDENTITY if name in rows.schema.names])
        self._identities.append(identity.take(first_rows[new]))
        self._places = None

    def _identity(self) -> pa.RecordBatch:
        if len(self._identities) > 1:
            [whole] = pa.Table.from_batches(self._identities).combine_chunks().to_batches()
            self._identities = [whole]
        return self._identities[0]
