"""LEAN's CSV texts to columns; they have no header (`market-data/README.md`, `as-vendor.md`)."""

from dataclasses import replace
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
from pyarrow import csv

from simulator.market import NO_CONDITION, Bars, Eod, Ints, Quotes, Trades

_LAST_TRADE_MS, _CREATED_MS = 16 * 3_600_000, (17 * 60 + 15) * 60_000

EXCHANGES: Final = dict(zip("ABCDIJKMNPQTWXYZ", (4, 47, 8, 57, 6, 64, 65, 17, 3, 7, 1, 1, 5, 9, 63, 60), strict=True))
# The first bit that is set decides.
CONDITIONS: Final = (
    (0x1000000, 51),
    (0x4000000, 66),
    (0x4000, 2),
    (0x800, 13),
    (0x2000, 1),
    (0x100000, 4),
    (0x200, 96),
    (0x2000000, 8),
    (0x40, 62),
    (0x80, 98),
    (0x100, 21),
    (0x4, 9),
    (0x2, 11),
    (0x8, 12),
    (0x200000, 45),
    (0x20, 95),
    (0x10, 79),
)


def condition_of(flags: str) -> int:
    """The vendor's condition of a hexadecimal mask of sale conditions."""
    mask = int(flags, 16)
    return next((condition for bit, condition in CONDITIONS if mask & bit), 0)


def only_text(path: Path) -> bytes:
    """The one CSV of a stock's zip."""
    with ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def tick_trades(text: bytes) -> Trades:
    """Every row of a tick trade file, in file order."""
    table = read_columns(text, "ms", "price", "size", exchange=pa.string(), flags=pa.string(), suspicious=pa.string())
    rows = table.num_rows
    none = np.full(rows, NO_CONDITION, np.int16)
    return Trades(
        ms=_ints(table, "ms"),
        sequence=np.arange(1, rows + 1),
        ext1=none,
        ext2=none,
        ext3=none,
        ext4=none,
        condition=_mapped(table, "flags", condition_of),
        size=_ints(table, "size"),
        exchange=_mapped(table, "exchange", EXCHANGES.__getitem__),
        price=_ints(table, "price"),
    )


def tick_quotes(text: bytes) -> Quotes:
    """A bid row and the ask row after it (same millisecond) are one quote; a side without partner is left out."""
    table = read_columns(
        text,
        "ms",
        "bid",
        "bid_size",
        "ask",
        "ask_size",
        exchange=pa.string(),
        flags=pa.string(),
        suspicious=pa.string(),
    )
    ms, ask, ask_size = _ints(table, "ms"), _ints(table, "ask"), _ints(table, "ask_size")
    bid, bid_size = _ints(table, "bid"), _ints(table, "bid_size")
    exchange = _mapped(table, "exchange", EXCHANGES.__getitem__)
    is_ask = (ask > 0) | (ask_size > 0)
    pair = np.flatnonzero(~is_ask[:-1] & is_ask[1:] & (ms[:-1] == ms[1:]))
    regular = np.zeros(len(pair), np.int16)
    return Quotes(
        ms=ms[pair],
        bid_size=bid_size[pair],
        bid_exchange=exchange[pair],
        bid=bid[pair],
        bid_condition=regular,
        ask_size=ask_size[pair + 1],
        ask_exchange=exchange[pair + 1],
        ask=ask[pair + 1],
        ask_condition=regular,
    )


def trade_bars(text: bytes) -> Bars:
    """Trade bars; the files have no count and no vwap, so both are zeros: see counted_by_volume."""
    table = read_columns(text, "ms", "open", "high", "low", "close", "volume")
    ms, opening, high, low, close, volume = (_ints(table, name) for name in table.column_names)
    zeros = np.zeros(table.num_rows, np.int64)
    return Bars(ms, opening, high, low, close, volume, count=zeros, vwap=zeros)


def counted_by_volume(bars: Bars) -> Bars:
    """The bars of one instrument and day with a recording's count (1 where there is volume) and vwap.

    The vwap is the running close x volume over the running volume of the day.
    """
    turnover, total = np.cumsum(bars.close * bars.volume), np.cumsum(bars.volume)
    return replace(bars, count=(bars.volume > 0).astype(np.int64), vwap=turnover // np.maximum(total, 1))


def quote_bars(text: bytes, length_ms: int) -> Quotes:
    """Quote bars as quotes: a bar's close is known at its end. An empty side is price 0, size 0."""
    sides = ("bid_open", "bid_high", "bid_low", "bid", "bid_size", "ask_open", "ask_high", "ask_low", "ask", "ask_size")
    table = read_columns(text, "ms", *sides)
    zeros = np.zeros(table.num_rows, np.int16)
    return Quotes(
        ms=_ints(table, "ms") + length_ms,
        bid_size=_ints(table, "bid_size"),
        bid_exchange=zeros,
        bid=_ints(table, "bid"),
        bid_condition=zeros,
        ask_size=_ints(table, "ask_size"),
        ask_exchange=zeros,
        ask=_ints(table, "ask"),
        ask_condition=zeros,
    )


def daily_reports(text: bytes) -> list[tuple[date, Eod]]:
    """Daily bars as end-of-day reports, in file order."""
    table = read_columns(text, "open", "high", "low", "close", "volume", first={"day": pa.string()})
    return [
        (moment(row.pop("day")).date(), Eod(_CREATED_MS, _LAST_TRADE_MS, count=0, **row)) for row in table.to_pylist()
    ]


def day_of(text: str) -> date:
    """The day of a name: YYYYMMDD."""
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 -- a day has no zone


def moment(text: str) -> datetime:
    """The time stamp of an hour or daily file: New York wall time."""
    return datetime.strptime(text, "%Y%m%d %H:%M")  # noqa: DTZ007


def read_columns(
    text: bytes, *integers: str, first: dict[str, pa.DataType] | None = None, **others: pa.DataType
) -> pa.Table:
    """The columns of a CSV without header: those of `first`, then the integers, then the others."""
    types = {**(first or {}), **dict.fromkeys(integers, pa.int64()), **others}
    return csv.read_csv(
        BytesIO(text),
        read_options=csv.ReadOptions(column_names=list(types)),
        convert_options=csv.ConvertOptions(column_types=types),
    )


def _ints(table: pa.Table, name: str) -> Ints:
    column: Any = table[name]
    ints: Ints = column.fill_null(0).to_numpy()
    return ints


def _mapped(table: pa.Table, name: str, code: Any) -> Ints:
    """A text column as the vendor's codes: each different text is looked up once."""
    texts: Any = table[name].combine_chunks().dictionary_encode()
    codes = np.array([code(text) for text in texts.dictionary.to_pylist()], np.int16)
    mapped: Ints = codes[texts.indices.to_numpy()]
    return mapped
