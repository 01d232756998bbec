"""Streamed rows to record columns, as history has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.live_stream.bars.instruments import IDENTITY
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import RECORDS, Asset, record_type
from theta_client.client import TicksKind
from theta_client.stream.subscription import Instrument

_ASSETS: Final[tuple[Asset, ...]] = ("stock", "option")
_NEITHER: Final = -1
_IDENTITY: Final = pa.schema(
    [(name, record_type("OptionTrade").arrow.field(name).type) for name in IDENTITY]  # one type for all its columns
)
_RECEIVED_US, _INSTRUMENT = 1, 2
"""Places in the rows: see Parsed."""
_TAKE: Final = pc.get_function("take")
_UNCHECKED: Final = pc.TakeOptions(boundscheck=False)
_Identity = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """Record columns; of each row the instrument's number and the receive time (microseconds UTC)."""

    records: pa.RecordBatch
    numbers: NDArray[np.int32]
    received_us: NDArray[np.int64]

    @property
    def times_us(self) -> NDArray[np.int64]:
        """The event times, microseconds UTC."""
        times: NDArray[np.int64] = self.records["ts_event"].view(pa.int64()).to_numpy()
        return times

    def where(self, mask: NDArray[np.bool_]) -> "Live":
        """The rows for which the mask holds."""
        return Live(self.records.filter(pa.array(mask)), self.numbers[mask], self.received_us[mask])


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of each column of a record, where it stands: in the rows (0), among the identity columns (1), or nulls (2)."""

    schema: pa.Schema
    columns: list[tuple[int, int]]


class Rows:
    """Knows the instruments of one Parser: their numbers only grow."""

    def __init__(self) -> None:
        self._assets: NDArray[np.int8] = np.zeros(0, np.int8)
        self._identities = {asset: _no_identity(asset) for asset in _ASSETS}
        self._nulls = _nulls(0)
        self._layouts: dict[tuple[Asset, TicksKind], _Layout] = {}

    def quotes(self, rows: pa.RecordBatch, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        """Parsed.quotes as columns of StockQuote and OptionQuote, order kept; only assets that have rows."""
        return self._live("quote", rows, instruments)

    def trades(self, rows: pa.RecordBatch, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        """Parsed.trades as columns of StockTrade and OptionTrade, order kept; only assets that have rows.

        The stream has no extended conditions. Prices of indexes are left out.
        """
        return self._live("trade", rows, instruments)

    def _live(self, kind: TicksKind, rows: pa.RecordBatch, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        if not rows.num_rows:
            return {}
        if len(instruments) > len(self._assets):
            self._learn(instruments[len(self._assets) :])
        assets = self._assets[rows.column(_INSTRUMENT).to_numpy()]
        first = int(assets[0])
        if np.count_nonzero(assets == first) == len(assets):
            return {} if first == _NEITHER else {_ASSETS[first]: self._of_asset(_ASSETS[first], kind, rows)}
        places = [(asset, np.flatnonzero(assets == number)) for number, asset in enumerate(_ASSETS)]
        return {
            asset: self._of_asset(asset, kind, _taken(rows, pa.array(place))) for asset, place in places if len(place)
        }

    def _of_asset(self, asset: Asset, kind: TicksKind, rows: pa.RecordBatch) -> Live:
        layout = self._layouts.get((asset, kind)) or self._lay_out(asset, kind, rows.schema)
        numbers = rows.column(_INSTRUMENT)
        sources = rows, _taken(self._identities[asset], numbers), self._nulls_of(rows.num_rows)
        arrays = [sources[source].column(place) for source, place in layout.columns]
        records = pa.RecordBatch.from_arrays(arrays, schema=layout.schema)
        return Live(records, numbers.to_numpy(), rows.column(_RECEIVED_US).to_numpy())

    def _lay_out(self, asset: Asset, kind: TicksKind, rows: pa.Schema) -> _Layout:
        arrow = record_type(RECORDS[asset][kind]).arrow
        identity = self._identities[asset].schema.names
        columns = [
            (1, identity.index(field.name))
            if field.name in identity
            else (2, 0)
            if field.nullable
            else (0, rows.names.index(field.name))
            for field in arrow
        ]
        layout = self._layouts[asset, kind] = _Layout(arrow, columns)
        return layout

    def _nulls_of(self, length: int) -> pa.RecordBatch:
        if length > self._nulls.num_rows:
            self._nulls = _nulls(2 * length)
        return self._nulls.slice(0, length)

    def _learn(self, new: Sequence[Instrument]) -> None:
        self._assets = np.append(self._assets, np.array([_asset_of(one) for one in new], np.int8))
        columns = zip(*map(_identity_of, new), strict=True)
        learnt = [pa.array(values, field.type) for values, field in zip(columns, _IDENTITY, strict=True)]
        for asset, known in self._identities.items():
            arrays = [pa.concat_arrays([old, more]) for old, more in zip(known.columns, learnt, strict=False)]
            self._identities[asset] = pa.RecordBatch.from_arrays(arrays, schema=known.schema)


def _no_identity(asset: Asset) -> pa.RecordBatch:
    """Identity columns of stocks are the first of those of options."""
    fields = list(_IDENTITY)
    return pa.RecordBatch.from_pylist([], pa.schema(fields[:1] if asset == "stock" else fields))


def _nulls(length: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(length, pa.int32())], ["nulls"])


def _taken(batch: pa.RecordBatch, rows: Any) -> Any:
    # `RecordBatch.take` takes half as long again, and a batch has some tens of rows.
    return _TAKE.call([batch, rows], _UNCHECKED)


def _asset_of(instrument: Instrument) -> int:
    return 0 if isinstance(instrument, Stock) else 1 if isinstance(instrument, OptionContract) else _NEITHER


def _identity_of(instrument: Instrument) -> _Identity:
    match instrument:
        case Stock(ticker):
            return ticker, None, None, None, None
        case OptionContract():
            one = instrument
            return one.osi, one.root, one.expiration, one.strike, one.right.upper()
    return None, None, None, None, None
