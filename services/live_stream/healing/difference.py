"""Which records of history a topic lacks, as multisets of whole records.

Quotes have no id, and equal trades are common.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_HEAD_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Records:
    """Records as a topic holds them: one key for all or one a record, event times (UTC), Avro bodies without header."""

    keys: bytes | pa.StringArray | pa.BinaryArray
    ts_event: pa.TimestampArray
    bodies: pa.BinaryArray

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def times_us(self) -> NDArray[np.int64]:
        """The event times, microseconds."""
        times: NDArray[np.int64] = self.ts_event.cast(pa.int64()).to_numpy()
        return times

    def where(self, mask: NDArray[np.bool_]) -> "Records":
        """The records for which the mask holds; they have a key each."""
        rows = pa.array(mask)
        return Records(cast(Any, self.keys).filter(rows), self.ts_event.filter(rows), self.bodies.filter(rows))


def missing(history: Records, held: Records) -> NDArray[np.int64]:
    """The rows of `history` that `held` lacks, ascending: of n equal records of which m are held, the last n − m."""
    whole = pa.chunked_array([_whole(history), _whole(held)], pa.large_binary()).combine_chunks()
    codes: NDArray[Any] = cast(Any, whole).dictionary_encode().indices.to_numpy()
    wanted, there = codes[: len(history)], codes[len(history) :]
    order = np.argsort(wanted, kind="stable")
    code = wanted[order]
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    occurrence = np.arange(len(code)) - np.repeat(starts, np.diff(np.append(starts, len(code))))
    held_counts = np.bincount(there, minlength=len(codes))
    return np.sort(order[occurrence >= held_counts[code]])


def _whole(records: Records) -> Any:
    """Each record as one text of bytes: event time and length of the key, key, body. Different ones stay different."""
    keys: Any = records.keys
    if isinstance(keys, bytes):
        lengths: Any = np.full(len(records), len(keys), np.int64)
        keys = pa.scalar(keys, pa.large_binary())
    else:
        keys = keys.cast(pa.binary()).cast(pa.large_binary())
        lengths = pc.binary_length(keys).to_numpy()
    heads = np.empty((len(records), 2), np.int64)
    heads[:, 0] = records.times_us
    heads[:, 1] = lengths
    head = pa.Array.from_buffers(pa.binary(_HEAD_BYTES), len(records), [None, pa.py_buffer(heads.tobytes())])
    join: Any = pc.binary_join_element_wise
    return join(
        head.cast(pa.large_binary()),
        keys,
        records.bodies.cast(pa.large_binary()),
        pa.scalar(b"", pa.large_binary()),
    )
