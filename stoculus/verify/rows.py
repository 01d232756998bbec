"""Records one behind the other as columns, and what is still to be compared of a side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoculus.reading.feed import Int64s


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its key, its event time (microseconds UTC), its Avro body; `number` as in Rows."""

    number: int
    key: bytes
    time_us: int
    body: bytes

    def equals(self, other: "Row") -> bool:
        """Whether they are the same record, wherever they stand."""
        return (self.key, self.time_us, self.body) == (other.key, other.time_us, other.body)


@dataclass(frozen=True, slots=True)
class Rows:
    """Records in order. `numbers`: offsets on a topic; how many were before, at the vendor."""

    numbers: Int64s
    keys: pa.BinaryArray
    times_us: Int64s
    bodies: pa.BinaryArray

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def none(cls) -> Self:
        """No records."""
        nothing: Any = pa.array([], pa.binary())
        return cls(np.empty(0, np.int64), nothing, np.empty(0, np.int64), nothing)

    def __getitem__(self, part: slice) -> "Rows":
        keys: Any = self.keys[part]
        bodies: Any = self.bodies[part]
        return Rows(self.numbers[part], keys, self.times_us[part], bodies)

    def row(self, n: int) -> Row:
        """The n-th of them."""
        return Row(int(self.numbers[n]), self.keys[n].as_py(), int(self.times_us[n]), self.bodies[n].as_py())

    def and_then(self, more: "Rows") -> "Rows":
        """These and those behind them."""
        if not len(self):
            return more
        keys: Any = pa.concat_arrays([self.keys, more.keys])
        bodies: Any = pa.concat_arrays([self.bodies, more.bodies])
        numbers = np.concatenate((self.numbers, more.numbers))
        return Rows(numbers, keys, np.concatenate((self.times_us, more.times_us)), bodies)


def equal_rows(some: Rows, others: Rows) -> int:
    """How many records from the first on are the same on both sides."""
    count = min(len(some), len(others))
    some, others = some[:count], others[:count]
    same = some.times_us == others.times_us
    for column, other in ((some.keys, others.keys), (some.bodies, others.bodies)):
        same &= pc.equal(column, other).to_numpy(zero_copy_only=False)
    return count if same.all() else int(np.argmin(same))


class Pending:
    """The records of one side that have not been compared yet. What is held is what comparing needs."""

    def __init__(self, blocks: Iterator[Rows]) -> None:
        self._blocks = blocks
        self.rows = Rows.none()

    def fill(self, count: int = 1) -> bool:
        """Whether there are so many, which are held then."""
        while len(self.rows) < count:
            block = next(self._blocks, None)
            if block is None:
                return False
            self.rows = self.rows.and_then(block)
        return True

    def take(self, count: int) -> Rows:
        """The first of those held, which are let go of."""
        taken, self.rows = self.rows[:count], self.rows[count:]
        return taken

    def take_moment(self) -> Rows:
        """All records one behind the other that have the first one's time."""
        while (self.rows.times_us == self.rows.times_us[0]).all() and self.fill(len(self.rows) + 1):
            pass
        later = np.flatnonzero(self.rows.times_us != self.rows.times_us[0])
        return self.take(int(later[0]) if len(later) else len(self.rows))
