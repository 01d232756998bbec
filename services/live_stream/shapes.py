"""What the rows of a table of the parser become: record columns, or at once the records of a topic."""

import json
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final, cast

import pyarrow as pa

from services.live_stream.bars.instruments import IDENTITY
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import RecordType, record_type
from stoculus.records.codec import encode
from theta_client.stream.subscription import Instrument
from theta_client.stream.table import INSTRUMENT, Table

try:
    from services.live_stream import _encode
except ImportError:
    HAS_EXTENSION = False
else:
    HAS_EXTENSION = True

_FIELDS: Final = pa.schema([record_type("OptionTrade").arrow.field(name) for name in IDENTITY])
_NO_CONTRACT: Final = ("", date(1970, 1, 1), 0.0, "CALL")
_PIECE, _DOUBLE, _NUMBER = b"p", b"d", b"n"
_KEY: Final = _PIECE + bytes([0])


class Identities:
    """The identity columns of a parser's instruments, by their numbers, which only grow. A stock has a symbol only."""

    def __init__(self) -> None:
        self.columns = pa.RecordBatch.from_pylist([], _FIELDS)

    def learn(self, new: Sequence[Instrument]) -> None:
        """The instruments with the next numbers."""
        values = zip(*map(_identity_of, new), strict=True)
        learnt = [pa.array(each, field.type) for each, field in zip(values, _FIELDS, strict=True)]
        arrays = [pa.concat_arrays(pair) for pair in zip(self.columns.columns, learnt, strict=True)]
        self.columns = pa.RecordBatch.from_arrays(arrays, schema=_FIELDS)


class Shape:
    """Of rows of a table of the parser to records of a type.

    A column that the table lacks is one of the instrument's identity, or null: the stream has no extended conditions.
    """

    def __init__(
        self, record: RecordType, table: pa.Schema, identities: Identities, *, use_extension: bool = HAS_EXTENSION
    ) -> None:
        self.record = record
        self._table = table
        self._identities = identities
        self._use_extension = use_extension
        # Fields side by side that an instrument alone decides are a record of their own, and encoded once.
        self._pieces = [
            (_of_fields(record, names), pa.array([], pa.binary())) for is_own, names in self._runs() if not is_own
        ]
        pieces = iter(range(len(self._pieces)))
        self._parts = b"".join(
            self._numbers(names) if is_own else _PIECE + bytes([next(pieces)]) for is_own, names in self._runs()
        )
        self._known = 0
        self._buffers: tuple[Any, ...] = ()
        self._key_buffers: tuple[Any, ...] = ()

    def records(self, table: Table) -> pa.RecordBatch:
        """The record columns."""
        arrow, numbers = self.record.arrow, table.instruments
        columns = [
            table.column(field.name)
            if field.name in self._table.names
            else self._identities.columns[field.name].take(numbers)
            if field.name in IDENTITY
            else pa.nulls(len(table), field.type)
            for field in arrow
        ]
        return pa.RecordBatch.from_arrays(columns, schema=arrow)

    def encoded(self, table: Table) -> tuple[pa.BinaryArray, pa.BinaryArray]:
        """The records' keys, and their Avro bodies without header."""
        if not self._use_extension:
            records = self.records(table)
            return cast(pa.BinaryArray, records["symbol"].cast(pa.binary())), encode(records, self.record)
        if self._known < self._identities.columns.num_rows:
            self._learn()
        return self._written(table, _KEY, self._key_buffers), self._written(table, self._parts, self._buffers)

    def _runs(self) -> list[tuple[bool, list[str]]]:
        """The fields in order, split into those that the table has, and those that the instrument decides."""
        names = self._table.names
        return [(is_own, list(some)) for is_own, some in groupby(self.record.arrow.names, lambda name: name in names)]

    def _numbers(self, names: list[str]) -> bytes:
        places = [self._table.get_field_index(name) for name in names]
        is_double = [pa.types.is_floating(self._table.field(place).type) for place in places]
        return b"".join(
            (_DOUBLE if double else _NUMBER) + bytes([place]) for place, double in zip(places, is_double, strict=True)
        )

    def _learn(self) -> None:
        identities, known = self._identities.columns, self._known
        new = identities.slice(known)
        for place, (record, bodies) in enumerate(self._pieces):
            columns = [
                new[field.name] if field.name in IDENTITY else pa.nulls(new.num_rows, field.type)
                for field in record.arrow
            ]
            more = encode(pa.RecordBatch.from_arrays(columns, schema=record.arrow), record)
            self._pieces[place] = record, pa.concat_arrays([bodies, more])
        self._buffers = tuple(buffer for _, bodies in self._pieces for buffer in bodies.buffers()[1:])
        self._key_buffers = tuple(identities.column(0).buffers()[1:])
        self._known = identities.num_rows

    def _written(self, table: Table, parts: bytes, pieces: tuple[Any, ...]) -> pa.BinaryArray:
        offsets, data = _encode.encode(table.words, len(self._table), INSTRUMENT, parts, pieces)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return cast(pa.BinaryArray, pa.Array.from_buffers(pa.binary(), len(table), buffers))


def _of_fields(record: RecordType, names: list[str]) -> RecordType:
    """A record of some of the fields: encoded, it is that part of the whole."""
    avro = json.loads(record.avro)
    avro["fields"] = [field for field in avro["fields"] if field["name"] in names]
    return RecordType(record.name, json.dumps(avro), pa.schema([record.arrow.field(name) for name in names]))


def _identity_of(instrument: Instrument) -> tuple[Any, ...]:
    match instrument:
        case Stock(ticker):
            return ticker, *_NO_CONTRACT
        case OptionContract():
            one = instrument
            return one.osi, one.root, one.expiration, one.strike, one.right.upper()
    return "", *_NO_CONTRACT
