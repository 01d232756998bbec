"""The hash of a topic: by columns within a New York day, the days chained. `stoculus.checkpoints` defines it."""

import hashlib
from datetime import date
from typing import Any, cast

import numpy as np
import pyarrow as pa

from stoculus.checkpoints import NO_HASH


class DayDigest:
    """The hash of one day's records, and of the chain up to them. Rows are added as columns."""

    def __init__(self, day: date | None = None, previous: str = NO_HASH) -> None:
        self.day = day
        self._previous = bytes.fromhex(previous)
        self._columns = [hashlib.sha256() for _ in range(4)]

    def add(self, keys: bytes | pa.BinaryArray | pa.StringArray, ts_event_us: Any, bodies: pa.BinaryArray) -> None:
        """Add rows of this day. `keys`: one key for all rows, or one a row; `ts_event_us`: int64 or timestamp[us]."""
        if not len(bodies):
            return
        offsets, data = _binary(bodies)
        parts: tuple[Any, ...] = (
            keys * len(bodies) if isinstance(keys, bytes) else _binary(keys)[1],
            np.ascontiguousarray(ts_event_us.cast(pa.int64()).to_numpy(), "<i8"),
            np.diff(offsets).astype("<i4"),
            data,
        )
        for column, part in zip(self._columns, parts, strict=True):
            column.update(part)

    def digest(self) -> str:
        """The chain's hash with the rows so far."""
        day = hashlib.sha256(b"".join(column.digest() for column in self._columns)).digest()
        return hashlib.sha256(self._previous + day).hexdigest()


def _binary(array: pa.BinaryArray | pa.StringArray) -> tuple[np.ndarray[Any, np.dtype[np.int32]], memoryview]:
    _, offsets_buffer, data = cast(Any, array.buffers())
    offsets = np.frombuffer(offsets_buffer, np.int32)[array.offset : array.offset + len(array) + 1]
    return offsets, memoryview(data)[offsets[0] : offsets[-1]]
