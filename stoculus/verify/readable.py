"""Values to columns, also where some cannot be read: those are told and left out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from stoculus.errors import SchemaNotRegistered
from stoculus.kafka.consume import Values
from stoculus.reading.decoding import Decoder
from stoculus.reading.feed import Int64s
from stoculus.reading.times import joined
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType
from stoculus.verify.findings import Spots

_Decode = Callable[[list[bytes]], pa.RecordBatch]
_UNREADABLE = (SchemaNotRegistered, ValueError, EOFError)


class Readable:
    """Reads values of one record type; what is wrong with some goes to the spots."""

    def __init__(self, record: RecordType, decoder: Decoder, spots: Spots) -> None:
        self._record = record
        self._decoder = decoder
        self._spots = spots
        self._wrong: dict[bytes, tuple[str, str] | None] = {}

    def read(self, values: Values) -> tuple[Int64s, pa.RecordBatch]:
        """Which of the values can be read, and those as columns. Raise RegistryUnavailable.

        A body behind a wrong schema id is read as the type's own, so that one fault is not told as many.
        """
        try:
            return np.arange(len(values)), self._decoder.decode_values(values, self._record)
        except SchemaNotRegistered:
            pass
        good: list[Int64s] = [np.empty(0, np.int64)]
        batches = [codec.decode([], self._record)]
        start = 0
        for header, count in values.headers:
            offsets, bodies = values.offsets[start : start + count], values.bodies[start : start + count]
            if wrong := self._wrong_schema(header):
                self._spots.add("schema", wrong[0], offsets, first=wrong[1])
                found, some = _readable(partial(codec.decode, record=self._record), bodies)
            else:
                found, some = _readable(partial(self._decode_behind, header), bodies)
                unread = np.setdiff1d(np.arange(count), found)
                self._spots.add("avro", f"the value is no {self._record.name} in Avro", offsets[unread])
            good.append(np.array(found, np.int64) + start)
            batches += some
            start += count
        return np.concatenate(good), joined(batches)

    def _decode_behind(self, header: bytes, bodies: list[bytes]) -> pa.RecordBatch:
        return self._decoder.decode([header + body for body in bodies], self._record)

    def _wrong_schema(self, header: bytes) -> tuple[str, str] | None:
        """What is wrong with the schema id before a body, and of which id it is told first."""
        if header not in self._wrong:
            self._wrong[header] = self._look_at(header)
        return self._wrong[header]

    def _look_at(self, header: bytes) -> tuple[str, str] | None:
        try:
            schema_id = framing.schema_id(header)
        except ValueError:
            return "the value is not in the registry's format", f"it begins with {header!r}"
        try:
            found = self._decoder.record_type(header)
        except SchemaNotRegistered as error:
            return "the schema id is of no record type", error.message.rstrip(".")
        if found is self._record:
            return None
        return f"the schema id is that of {found.name}, not of {self._record.name}", f"id {schema_id}"


def _readable(decode: _Decode, bodies: list[bytes], start: int = 0) -> tuple[list[int], list[Any]]:
    """The places of those that can be decoded, and their columns; those that cannot are found by halving."""
    try:
        return list(range(start, start + len(bodies))), [decode(bodies)]
    except _UNREADABLE:
        if len(bodies) == 1:
            return [], []
    middle = len(bodies) // 2
    found, batches = _readable(decode, bodies[:middle], start)
    more, others = _readable(decode, bodies[middle:], start + middle)
    return found + more, batches + others
