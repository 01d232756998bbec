"""The events of a kind in columns, cheap to make: a turn of a live tape has some tens of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Words = NDArray[np.int64]

RECEIVED_US: Final = 1
INSTRUMENT: Final = 2
TS_EVENT: Final = 3
"""Places in HEAD."""

HEAD: Final = (
    pa.field("frame", pa.int32(), nullable=False),
    pa.field("received_us", pa.int64(), nullable=False),
    pa.field("instrument", pa.int32(), nullable=False),
    pa.field("ts_event", pa.timestamp("us", "UTC"), nullable=False),
)
"""The columns that every table begins with."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows in order. `words` is C-contiguous, a row of it for each field of `schema`, a column for each row here.

    A float64 has its bits there; NaN stands for null. Times are microseconds since the epoch, UTC.
    """

    schema: pa.Schema
    words: Words

    def __len__(self) -> int:
        return int(self.words.shape[1])

    @property
    def received_us(self) -> Words:
        """When each row's message came in."""
        return self._words_of(RECEIVED_US)

    @property
    def instruments(self) -> Words:
        """The number of each row's instrument."""
        return self._words_of(INSTRUMENT)

    @property
    def times_us(self) -> Words:
        """The event times."""
        return self._words_of(TS_EVENT)

    def where(self, mask: NDArray[np.bool_]) -> "Table":
        """The rows for which the mask holds."""
        return Table(self.schema, np.ascontiguousarray(self.words[:, mask]))

    def column(self, name: str) -> Any:
        """A column as an Arrow array."""
        place = self.schema.get_field_index(name)
        field, words = self.schema.field(place), self.words[place]
        if pa.types.is_floating(field.type):
            return pa.array(words.view(np.float64), from_pandas=field.nullable)
        return pa.array(words).cast(field.type)

    def batch(self) -> pa.RecordBatch:
        """All columns."""
        return pa.RecordBatch.from_arrays([self.column(name) for name in self.schema.names], schema=self.schema)

    def _words_of(self, place: int) -> Words:
        words: Words = self.words[place]
        return words


def joined(tables: Sequence[Table]) -> Table:
    """The rows of tables of the same schema, one behind the other."""
    first, *more = tables
    return Table(first.schema, np.concatenate([one.words for one in tables], axis=1)) if more else first
