"""Option history requests to rendered rows: contract by contract, in no order of strikes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain, groupby, islice
from typing import Any, Final

import pyarrow as pa

from simulator.caching import ByteCache
from simulator.clock import Clock
from simulator.endpoints import HistoryEndpoint
from simulator.formats import Dialect, render
from simulator.market import DAY_MS
from simulator.options import OptionSource
from simulator.options.blocks import batches, contract_columns, contract_texts, row_columns
from simulator.options.parameters import OptionHistory, option_history
from simulator.options.pieces import Piece, Pieces
from simulator.options.selection import selected
from simulator.options.tables import CONTRACT, TABLES
from stoculus.instruments import OptionContract

# Packed: a day of ten million quotes is 1 GB of CSV, and a tenth of that here.
_CACHE_BYTES: Final = 256 * 1024 * 1024
_CONTRACTS_AT_ONCE: Final = 128
_CODEC: Final = "lz4_raw"


class OptionHistories:
    """Answers history requests from a source, up to the clock's instant; whole past answers are kept packed."""

    def __init__(self, source: OptionSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._rendered: ByteCache[Any, list[_Packed]] = ByteCache(_CACHE_BYTES, _size)

        self.endpoints = {
            f"option/history/{kind}": HistoryEndpoint(
                partial(option_history, kind), (*CONTRACT, *table.columns), table.at_interval, self.runs
            )
            for kind, table in TABLES.items()
        }

    def runs(self, request: OptionHistory, dialect: Dialect) -> Iterator[memoryview]:
        """Rendered rows, a block at a time; nothing where there is no row."""
        now = self._clock.now()
        if request.end >= now.date():
            yield from self._made(request, dialect, now)
            return
        held = self._rendered.get((request, dialect))
        if held is not None:
            yield from (run.unpacked for run in held)
            return
        held = []
        for run in self._made(request, dialect, now):
            held.append(_Packed.of(run))
            yield run
        self._rendered.put((request, dialect), held)

    def _made(self, request: OptionHistory, dialect: Dialect, now: datetime) -> Iterator[memoryview]:
        pieces = self._pieces(request, now)
        if request.format == "json":
            yield from _grouped(request, dialect, pieces)
            return
        for batch in batches(pieces, request.table.block_rows):
            block = [*contract_columns(batch), *row_columns(request, batch)]
            yield render(request.format, (*CONTRACT, *request.table.columns), block, dialect)

    def _pieces(self, request: OptionHistory, now: datetime) -> Iterator[Piece]:
        pieces = Pieces(self._source, request)
        chosen = selected(self._source, request, now.date())
        while some := list(islice(chosen, _CONTRACTS_AT_ONCE if request.table.daily else 1)):
            wanted = [(day, contract) for contract, days in some for day in days]
            # Day by day, so that the source makes what contracts share once a day.
            wanted.sort(key=lambda pair: pair[0])
            made: dict[OptionContract, list[Piece]] = {contract: [] for contract, _ in some}
            for day, contract in wanted:
                piece = pieces.of(contract, day, _known_until_ms(day, now))
                if piece:
                    made[contract].append(piece)
            yield from chain.from_iterable(made.values())


def _size(runs: "list[_Packed]") -> int:
    return sum(run.packed.size for run in runs)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A run of rows, compressed."""

    packed: pa.Buffer
    unpacked_bytes: int

    @classmethod
    def of(cls, run: memoryview) -> "_Packed":
        return cls(pa.compress(run, codec=_CODEC, asbytes=False), len(run))

    @property
    def unpacked(self) -> memoryview:
        return memoryview(pa.decompress(self.packed, self.unpacked_bytes, codec=_CODEC))


def _grouped(request: OptionHistory, dialect: Dialect, pieces: Iterable[Piece]) -> Iterator[memoryview]:
    """JSON rows below their contract. As with flat rows, the first run begins with a comma: see `document`."""
    end = b""
    for contract, group in groupby(pieces, key=lambda piece: piece.contract):
        for number, batch in enumerate(batches(group, request.table.block_rows)):
            rows = render("json", request.table.columns, row_columns(request, batch), dialect, indent="\t\t\t\t")
            yield rows if number else memoryview(end + _group_head(contract) + rows[1:])
        end = b"\n\t\t\t]\n\t\t}"
    if end:
        yield memoryview(end)


def _group_head(contract: OptionContract) -> bytes:
    root, expiration, strike, right = contract_texts(contract)
    names = f'"symbol":"{root}","expiration":"{expiration}","right":"{right}","strike":{strike}'
    return f',\n\t\t{{\n\t\t\t"contract": {{{names}}},\n\t\t\t"data": ['.encode()


def _known_until_ms(day: date, now: datetime) -> int:
    """The last millisecond of the day that has passed."""
    if day != now.date():
        return DAY_MS - 1
    return ((now.hour * 60 + now.minute) * 60 + now.second) * 1000 + now.microsecond // 1000
