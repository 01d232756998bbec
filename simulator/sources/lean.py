"""LEAN's stock files to columns: one zip, one CSV without header (`market-data/README.md`, `as-vendor.md`)."""

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


def tick_trades(path: Path) -> Trades:
    """Every row of a tick trade file, in file order."""
    table = _read(path, "ms", "price", "size", exchange=pa.string(), flags=pa.string(), suspicious=pa.string())
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


def tick_quotes(path: Path) -> Quotes:
    """A bid row and the ask row after it (same millisecond) are one quote; a side without partner is left out."""
    table = _read(
        path,
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


def bar_file(path: Path) -> Bars:
    """Trade bars: a count of 1 where there is volume, vwap = running close x volume over running volume of the day."""
    table = _read(path, "ms", "open", "high", "low", "close", "volume")
    ms, opening, high, low, close, volume = (_ints(table, name) for name in table.column_names)
    return counted_by_volume(Bars(ms, opening, high, low, close, volume, volume, volume))


def counted_by_volume(bars: Bars) -> Bars:
    """The bars with count and vwap of a recording's bars."""
    turnover, total = np.cumsum(bars.close * bars.volume), np.cumsum(bars.volume)
    return replace(bars, count=(bars.volume > 0).astype(np.int64), vwap=turnover // np.maximum(total, 1))


def quote_bar_file(path: Path, length_ms: int) -> Quotes:
    """Quote bars as quotes: a bar's close is known at its end. An empty side is price 0, size 0."""
    sides = ("bid_open", "bid_high", "bid_low", "bid", "bid_size", "ask_open", "ask_high", "ask_low", "ask", "ask_size")
    table = _read(path, "ms", *sides)
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


def daily_file(path: Path) -> dict[date, Eod]:
    """Daily bars as end-of-day reports by day."""
    table = _read(path, "open", "high", "low", "close", "volume", first={"day": pa.string()})
    return {
        datetime.strptime(row.pop("day")[:8], "%Y%m%d").date(): Eod(_CREATED_MS, _LAST_TRADE_MS, count=0, **row)  # noqa: DTZ007
        for row in table.to_pylist()
    }


def _read(path: Path, *integers: str, first: dict[str, pa.DataType] | None = None, **others: pa.DataType) -> pa.Table:
    types = {**(first or {}), **dict.fromkeys(integers, pa.int64()), **others}
    with ZipFile(path) as archive:
        content = archive.read(archive.namelist()[0])
    return csv.read_csv(
        BytesIO(content),
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
