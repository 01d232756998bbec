"""Vendor columns to record columns, for options. A new schema: one .avsc, one line in the catalog, one mapping here.

Between the vendor and the topic the rows are sorted. On that way a contract is one number, `contract`, that orders as
a chain does: expiration, strike, calls before puts.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.kit.columns import BAR, QUOTE, TIME, TRADE, Mapping, converted, fields
from services.kit.new_york import UTC_US
from stoculus.errors import VendorAnswerMalformed
from stoculus.instruments import OptionContract
from stoculus.records.catalog import Kind, RecordType
from theta_client.client import OptionKind

_EPOCH: Final = date(1970, 1, 1)
_STRIKE_BITS: Final = 27
# With eight bytes the three keys of the sort would be too long for DuckDB to compare as numbers: half as fast.
LINE: Final = pa.int32()
_Int64s = np.ndarray[Any, np.dtype[np.int64]]

_CONTRACT: Final = [
    pa.field("symbol", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    *fields("expiration", pa.date32()),
    *fields("strike", pa.float64()),
    pa.field("right", pa.dictionary(pa.int32(), pa.string()), nullable=False),
]
_SPELLED: Final = pa.schema(
    [
        *fields("symbol", pa.string()),
        *fields("expiration", pa.date32()),
        *fields("strike", pa.float64()),
        *fields("right", pa.string()),
    ]
)
_AT: Final = fields("timestamp", TIME)
_BID_ASK: Final = fields("bid ask", pa.float64())
_FIRST_ORDER: Final = fields("delta theta vega rho epsilon lambda", pa.float64())
_HIGHER_ORDERS: Final = fields(
    "gamma vanna charm vomma veta vera speed zomma color ultima d1 d2 dual_delta dual_gamma", pa.float64()
)
_SOLVED: Final = [
    *fields("implied_vol iv_error", pa.float64()),
    *fields("underlying_timestamp", TIME, nullable=True),
    *fields("underlying_price", pa.float64(), nullable=True),
]
_IMPLIED: Final = fields("bid_implied_vol midpoint ask_implied_vol", pa.float64())


def _mapping(endpoint: OptionKind, ts_event: str, rows_a_day: int, *columns: list[Any]) -> Mapping[OptionKind]:
    schema = pa.schema([*_CONTRACT, *(column for some in columns for column in some)])
    return Mapping(endpoint, schema, ts_event, rows_a_day)


MAPPINGS: Final[dict[Kind, Mapping[OptionKind]]] = {
    "ohlcv": _mapping("ohlc", "timestamp", 391, _AT, BAR, fields("vwap", pa.float64())),
    "quote": _mapping("quote", "timestamp", 5_000, _AT, QUOTE),
    "trade": _mapping("trade", "timestamp", 20, _AT, TRADE),
    "tradequote": _mapping(
        "trade_quote",
        "trade_timestamp",
        20,
        fields("trade_timestamp", TIME),
        fields("quote_timestamp", TIME, nullable=True),
        TRADE,
        QUOTE,
    ),
    "eod": _mapping("eod", "created", 1, fields("created last_trade", TIME), BAR, QUOTE),
    "openinterest": _mapping("open_interest", "timestamp", 1, _AT, fields("open_interest", pa.int64())),
    "greeksfirst": _mapping("greeks/first_order", "timestamp", 391, _AT, _BID_ASK, _FIRST_ORDER, _SOLVED),
    "greeksall": _mapping("greeks/all", "timestamp", 391, _AT, _BID_ASK, _FIRST_ORDER, _HIGHER_ORDERS, _SOLVED),
    "iv": _mapping("greeks/implied_volatility", "timestamp", 391, _AT, _BID_ASK, _IMPLIED, _SOLVED),
    "greekseod": _mapping(
        "greeks/eod",
        "timestamp",
        1,
        _AT,
        BAR,
        [field.with_nullable(True) for field in QUOTE],
        _FIRST_ORDER,
        _HIGHER_ORDERS,
        _SOLVED,
    ),
    "tradegreeks": _mapping("trade_greeks/all", "timestamp", 20, _AT, TRADE, _FIRST_ORDER, _HIGHER_ORDERS, _SOLVED),
}
"""`typical_rows_a_day` is of one contract."""


def sortable_schema(record: RecordType) -> pa.Schema:
    """The columns of rows on their way through the sort: `ts_event` (UTC µs), `contract`, `line`, then the data."""
    keys = [pa.field("ts_event", pa.int64()), pa.field("contract", pa.int64()), pa.field("line", LINE)]
    return pa.schema([*keys, *_data_fields(record)])


def to_sortable(
    vendor: pa.RecordBatch, lines: pa.Int64Array, mapping: Mapping[OptionKind], record: RecordType, root: str
) -> pa.RecordBatch:
    """Vendor rows as the sort takes them, row by row. `root` is as the vendor spells it.

    Raise VendorAnswerMalformed where rows are of another root, or of neither a call nor a put.
    """
    data = [converted(vendor[field.name], field.name) for field in _data_fields(record)]
    ts_event = converted(vendor[mapping.ts_event], "ts_event").cast(pa.int64())
    return pa.RecordBatch.from_arrays(
        [ts_event, pa.array(_contract_numbers(vendor, root)), lines.cast(LINE), *data], schema=sortable_schema(record)
    )


def to_records(rows: pa.RecordBatch, record: RecordType, contracts: "Contracts") -> pa.RecordBatch:
    """Sorted rows as record columns."""
    columns = contracts.columns(rows["contract"].to_numpy())
    columns["ts_event"] = rows["ts_event"].cast(UTC_US)
    arrays = [columns[name] if name in columns else rows[name] for name in record.arrow.names]
    return pa.RecordBatch.from_arrays(arrays, schema=record.arrow)


class Contracts:
    """The contracts of a root by their numbers. Each is spelled out once."""

    def __init__(self, root: str) -> None:
        self._root = root
        # The last is none, so that each search ends at a number.
        self._numbers: _Int64s = np.array([np.iinfo(np.int64).max])
        self._known: dict[int, tuple[str, date, float, str]] = {}
        self._spelled = pa.RecordBatch.from_pylist([], _SPELLED)

    def columns(self, numbers: _Int64s) -> dict[str, Any]:
        """The record columns that say of which contract a row is."""
        places = np.searchsorted(self._numbers, numbers)
        if (self._numbers[places] != numbers).any():
            self._learn(np.setdiff1d(numbers, self._numbers))
            places = np.searchsorted(self._numbers, numbers)
        rows = self._spelled.take(places)
        return {"root": pa.repeat(self._root, len(numbers)), **dict(zip(_SPELLED.names, rows.columns, strict=True))}

    def _learn(self, new: _Int64s) -> None:
        for number in new.tolist():
            one = contract_of(number, self._root)
            self._known[number] = one.osi, one.expiration, one.strike, one.right.upper()
        numbers = sorted(self._known)
        self._numbers = np.array([*numbers, self._numbers[-1]])
        columns = zip(*map(self._known.__getitem__, numbers), strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, _SPELLED, strict=True)]
        self._spelled = pa.RecordBatch.from_arrays(arrays, schema=_SPELLED)


def wanted_rows(rows: pa.RecordBatch, root: str, is_wanted: Callable[[OptionContract], bool]) -> pa.RecordBatch:
    """The rows of wanted contracts."""
    numbers = rows["contract"].to_numpy()
    known = np.unique(numbers[np.flatnonzero(np.diff(numbers, prepend=-1))])
    wanted = np.array([is_wanted(contract_of(int(number), root)) for number in known], bool)
    return rows if wanted.all() else rows.filter(pa.array(np.isin(numbers, known[wanted])))


def number_of(contract: OptionContract) -> int:
    """The number that stands for a contract of a root."""
    days = (contract.expiration - _EPOCH).days
    return ((days << _STRIKE_BITS) + contract.strike_thousandths) * 2 + (contract.right == "put")


def contract_of(number: int, root: str) -> OptionContract:
    """The contract that a number stands for."""
    days, strike_thousandths = divmod(number >> 1, 1 << _STRIKE_BITS)
    return OptionContract(root, _EPOCH + timedelta(days=days), strike_thousandths, "put" if number & 1 else "call")


def _contract_numbers(vendor: pa.RecordBatch, root: str) -> _Int64s:
    symbols, rights = cast(Any, vendor["symbol"]), cast(Any, vendor["right"])
    names = {str(name) for name in symbols.dictionary.to_pylist()} if len(symbols) else set()
    words = {str(word) for word in rights.dictionary.to_pylist()} if len(rights) else set()
    if names - {root} or words - {"CALL", "PUT"}:
        odd = sorted(names - {root} | words - {"CALL", "PUT"})
        raise VendorAnswerMalformed(
            f"An answer for options of {root} holds rows of {', '.join(odd)[:80]}.",
            remedy="Try again; if it stays, report it with the terminal's log.",
        )
    days: _Int64s = vendor["expiration"].cast(pa.int32()).to_numpy().astype(np.int64)
    strikes: _Int64s = np.rint(vendor["strike"].to_numpy() * 1000).astype(np.int64)
    is_put = pc.equal(rights.cast(pa.string()), pa.scalar("PUT")).to_numpy(zero_copy_only=False)
    numbers: _Int64s = ((days << _STRIKE_BITS) + strikes) * 2 + is_put
    return numbers


def _data_fields(record: RecordType) -> list[Any]:
    contract = {"symbol", "ts_event", "root", "expiration", "strike", "right"}
    return [field for field in record.arrow if field.name not in contract]
