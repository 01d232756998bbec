"""A chain while its records go by: the contracts that were seen, and how each is quoted at the moment."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoculus.plot.axis import Floats
from stoculus.reading.feed import Int64s

EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_ROOM: Final = 256


@dataclass(frozen=True, slots=True)
class AtTheMoney:
    """Call and put of the strike at which both cost about the same, of the nearest expiration. USD."""

    strike: float
    call_bid: float
    call_ask: float
    put_bid: float
    put_ask: float

    @property
    def bid(self) -> float:
        """What the straddle is bid."""
        return self.call_bid + self.put_bid

    @property
    def ask(self) -> float:
        return self.call_ask + self.put_ask

    @property
    def forward(self) -> float:
        """What put-call parity says of the underlying, without interest."""
        return self.strike + (self.call_bid + self.call_ask - self.put_bid - self.put_ask) / 2


class ChainState:
    """Contracts by a number of their own, in the order in which they came; columns of one value a contract.

    `expiration` is days since the epoch, `strike` USD. `values` are the newest of the columns that are asked for, NaN
    before the first.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._numbers: dict[str, int] = {}
        self._pairs: dict[tuple[int, float], int] = {}
        self._strike = np.zeros(_ROOM)
        self._expiration = np.zeros(_ROOM, np.int64)
        self._is_call = np.zeros(_ROOM, np.bool_)
        self._pair = np.zeros(_ROOM, np.int64)
        self._values = np.full((len(columns), _ROOM), np.nan)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def symbols(self) -> list[str]:
        return list(self._numbers)

    @property
    def strike(self) -> Floats:
        return self._strike[: len(self)]

    @property
    def expiration(self) -> Int64s:
        return self._expiration[: len(self)]

    @property
    def is_call(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        return self._is_call[: len(self)]

    @property
    def values(self) -> Floats:
        """A row for each of the columns."""
        return self._values[:, : len(self)]

    def numbers(self, batch: pa.RecordBatch) -> Int64s:
        """The contract of each record."""
        coded: Any = pc.dictionary_encode(batch["symbol"])
        codes, symbols = coded.indices.to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()
        if new := [n for n, symbol in enumerate(symbols) if symbol not in self._numbers]:
            firsts = np.unique(codes, return_index=True)[1]
            rows = batch.take(firsts[new]).select(["symbol", "expiration", "strike", "right"])
            for row in rows.to_pylist():
                self._add(row)
        lookup = np.array([self._numbers[symbol] for symbol in symbols], np.int64)
        numbers: Int64s = lookup[codes]
        return numbers

    def update(self, numbers: Int64s, columns: Floats) -> None:
        """The newest values of contracts; of one that comes twice the later one."""
        self._values[:, numbers] = columns

    def forget(self) -> None:
        """A new day: nothing is quoted yet."""
        self._values[:] = np.nan

    def at_the_money(self, day: date) -> AtTheMoney | None:
        """The straddle of the nearest expiration; None where no call and put of one strike are quoted.

        The first two columns must be bid and ask.
        """
        bid, ask = self.values[:2]
        alive = (bid > 0) & (ask > 0) & (self.expiration >= day.toordinal() - EPOCH_ORDINAL)
        legs = np.full((2, len(self._pairs)), -1, np.int64)
        contracts = np.flatnonzero(alive)
        legs[self.is_call[contracts].astype(np.int64), self._pair[contracts]] = contracts
        put, call = legs[:, (legs >= 0).all(axis=0)]
        if not len(call):
            return None
        nearest = self.expiration[call] == self.expiration[call].min()
        put, call = put[nearest], call[nearest]
        dearer = np.abs(bid[call] + ask[call] - bid[put] - ask[put])
        n = int(dearer.argmin())
        c, p = call[n], put[n]
        return AtTheMoney(float(self.strike[c]), float(bid[c]), float(ask[c]), float(bid[p]), float(ask[p]))

    def _add(self, row: dict[str, Any]) -> None:
        number = len(self)
        if number == len(self._strike):
            self._grow()
        expiration = row["expiration"].toordinal() - EPOCH_ORDINAL
        self._numbers[row["symbol"]] = number
        self._strike[number], self._expiration[number] = row["strike"], expiration
        self._is_call[number] = row["right"] == "CALL"
        self._pair[number] = self._pairs.setdefault((expiration, row["strike"]), len(self._pairs))

    def _grow(self) -> None:
        more = len(self._strike)
        self._strike, self._expiration, self._is_call, self._pair = (
            np.concatenate([column, np.zeros(more, column.dtype)])
            for column in (self._strike, self._expiration, self._is_call, self._pair)
        )
        self._values = np.concatenate([self._values, np.full((len(self._columns), more), np.nan)], axis=1)
