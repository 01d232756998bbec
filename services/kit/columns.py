"""Vendor columns to record columns: what stocks and options share."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc

from services.kit.new_york import to_utc
from services.kit.prepare import IsEmpty
from stoculus.tasks import HistoricalTask

Endpoint = TypeVar("Endpoint", bound=str)

TIME: Final = pa.timestamp("us")
_NO_CONDITION: Final = 255


def fields(names: str, kind: pa.DataType, *, nullable: bool = False) -> list[Any]:
    """Vendor columns of one type, by their names in one text."""
    return [pa.field(name, kind, nullable=nullable) for name in names.split()]


QUOTE: Final = [
    *fields("bid_size", pa.int64()),
    *fields("bid_exchange", pa.int32()),
    *fields("bid", pa.float64()),
    *fields("bid_condition", pa.int32()),
    *fields("ask_size", pa.int64()),
    *fields("ask_exchange", pa.int32()),
    *fields("ask", pa.float64()),
    *fields("ask_condition", pa.int32()),
]
TRADE: Final = [
    *fields("sequence", pa.int64()),
    *fields("ext_condition1 ext_condition2 ext_condition3 ext_condition4 condition", pa.int32()),
    *fields("size", pa.int64()),
    *fields("exchange", pa.int32()),
    *fields("price", pa.float64()),
]
BAR: Final = [*fields("open high low close", pa.float64()), *fields("volume count", pa.int64())]


@dataclass(frozen=True, slots=True)
class Mapping(Generic[Endpoint]):
    """How a kind of record comes from the vendor: endpoint, columns wanted, and which of them is `ts_event`.

    `typical_rows_a_day` of one instrument, for estimates where there is no grid.
    """

    endpoint: Endpoint
    columns: pa.Schema
    ts_event: str
    typical_rows_a_day: int


def converted(column: Any, name: str) -> Any:
    """A vendor column as the record has it: times to UTC, 255 to no condition."""
    if pa.types.is_timestamp(column.type):
        return to_utc(cast(pa.TimestampArray, column))
    if name.startswith("ext_condition"):
        none = pa.scalar(None, column.type)
        return pc.if_else(pc.equal(column, pa.scalar(_NO_CONDITION, column.type)), none, column)
    return column


def empty_bars(bars: pa.RecordBatch) -> pa.BooleanArray:
    """Bars in which nothing was traded: the vendor fills its grid with them (rest.md 10.2)."""
    return pc.and_(pc.equal(bars["volume"], pa.scalar(0)), pc.equal(bars["count"], pa.scalar(0)))


def empty_quotes(quotes: pa.RecordBatch) -> pa.BooleanArray:
    """Quotes at a grid time with neither price nor size on either side: nobody had quoted yet."""
    sides = [pc.equal(quotes[name], pa.scalar(0, quotes[name].type)) for name in ("bid", "ask", "bid_size", "ask_size")]
    return pc.and_(pc.and_(sides[0], sides[1]), pc.and_(sides[2], sides[3]))


def empty_rows_of(task: HistoricalTask) -> IsEmpty | None:
    """Which rows a task leaves out; None: it keeps all."""
    schema = task.record_schema
    if task.keep_empty_bars or schema.interval is None:
        return None
    return {"ohlcv": empty_bars, "quote": empty_quotes}.get(schema.kind)
