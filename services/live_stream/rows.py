"""Streamed rows by what they are rows of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.live_stream.broker.outlet import Outgoing
from services.live_stream.shapes import Identities, Shape
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import RECORDS, Asset, record_type
from stoculus.streams import Origin
from theta_client.client import TicksKind
from theta_client.stream import table as tables
from theta_client.stream.subscription import Instrument
from theta_client.stream.table import Table

_ASSETS: Final[tuple[Asset, ...]] = ("stock", "option")
_NEITHER: Final = -1


@dataclass(frozen=True, slots=True)
class Live:
    """Rows of a table of the parser that become records of one type."""

    table: Table
    shape: Shape

    def __len__(self) -> int:
        return len(self.table)

    @property
    def records(self) -> pa.RecordBatch:
        """The record columns; made when asked for."""
        return self.shape.records(self.table)

    def outgoing(self, header: bytes, topic_of: NDArray[np.int32], origin: Origin) -> Outgoing:
        """As the records of topics, which are given by their numbers; -1 for none."""
        table = self.table
        keys, bodies = self.shape.encoded(table)
        return Outgoing(header, keys, bodies, table.times_us, topic_of, table.received_us, origin.encode())

    def where(self, mask: NDArray[np.bool_]) -> "Live":
        """The rows for which the mask holds."""
        return Live(self.table.where(mask), self.shape)


class Rows:
    """Knows the instruments of one Parser: their numbers only grow."""

    def __init__(self) -> None:
        self._assets: NDArray[np.int8] = np.zeros(0, np.int8)
        self._identities = Identities()
        self._shapes: dict[tuple[Asset, TicksKind], Shape] = {}

    def quotes(self, table: Table, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        """Parsed.quotes as rows of StockQuote and OptionQuote, order kept; only assets that have rows."""
        return self._live("quote", table, instruments)

    def trades(self, table: Table, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        """Parsed.trades as rows of StockTrade and OptionTrade, order kept; only assets that have rows.

        Prices of indexes are left out.
        """
        return self._live("trade", table, instruments)

    def _live(self, kind: TicksKind, table: Table, instruments: Sequence[Instrument]) -> dict[Asset, Live]:
        if not len(table):
            return {}
        if len(instruments) > len(self._assets):
            new = instruments[len(self._assets) :]
            self._assets = np.append(self._assets, np.array([_asset_of(one) for one in new], np.int8))
            self._identities.learn(new)
        assets = self._assets[table.instruments]
        first = int(assets[0])
        if np.count_nonzero(assets == first) == len(assets):
            return {} if first == _NEITHER else {_ASSETS[first]: self._of_asset(_ASSETS[first], kind, table)}
        masks = [(asset, assets == number) for number, asset in enumerate(_ASSETS)]
        return {asset: self._of_asset(asset, kind, table.where(mask)) for asset, mask in masks if mask.any()}

    def _of_asset(self, asset: Asset, kind: TicksKind, table: Table) -> Live:
        shape = self._shapes.get((asset, kind))
        if shape is None:
            record = record_type(RECORDS[asset][kind])
            shape = self._shapes[asset, kind] = Shape(record, table.schema, self._identities)
        return Live(table, shape)


def joined(parts: Sequence[Live]) -> Live:
    """Rows of the same shape, one behind the other."""
    return Live(tables.joined([part.table for part in parts]), parts[0].shape)


def _asset_of(instrument: Instrument) -> int:
    return 0 if isinstance(instrument, Stock) else 1 if isinstance(instrument, OptionContract) else _NEITHER
