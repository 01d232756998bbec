"""CSV bytes of one answer to Arrow batches: columns by header name, bad rows set apart with line and cause."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from stoculus.errors import ColumnsMissing

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read. `line` counts in the vendor's body from 1, the header; `raw` has no line end."""

    line: int
    raw: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of an answer, in its order.

    `batch` has the columns asked for, `lines` the line of each of its rows, `bad_rows` what stood between them.
    `last_line` is the last line of the block, rows or blank; `raw_bytes` its size as sent.
    """

    batch: pa.RecordBatch
    lines: pa.Int64Array
    bad_rows: list[BadRow]
    last_line: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    raw: bytes


class Table:
    """The parser of one answer: its header's names, and the columns asked for.

    A null in a column that is not nullable, NaN and infinity make a row bad, as does whatever pyarrow.csv refuses.
    """

    def __init__(self, names: Sequence[str], columns: pa.Schema, request: str) -> None:
        missing = [name for name in columns.names if names.count(name) != 1]
        if missing:
            raise ColumnsMissing(
                f"The answer to {request} lacks (or repeats) the columns {', '.join(missing)}.",
                remedy="The vendor changed its format: the suite needs an update.",
                detail=f"expected {','.join(columns.names)}; got {','.join(names)}",
            )
        self._columns = columns
        self._width = len(names)
        self._names = list(names)
        self._convert = _convert_options(columns)
        self._plain = pa.csv.ParseOptions(quote_char=False)
        self._quoted = pa.csv.ParseOptions()

    def block(self, data: bytes, first_line: int) -> Block:
        """The rows of whole lines; `first_line` is the line number of the first."""
        line_count = _newlines(data)
        batch = self._strict(data, line_count)
        if batch is not None:
            lines = pa.array(np.arange(first_line, first_line + line_count), pa.int64())
            return Block(batch, lines, [], first_line + line_count - 1, len(data))
        numbered = (_Line(number, raw) for number, raw in enumerate(data.split(b"\n")[:-1], first_line))
        rows = [line for line in numbered if line.raw.strip(b"\r")]
        bad_rows: list[BadRow] = []
        batches = list(self._salvage(rows, bad_rows))
        bad = {row.line for row in bad_rows}
        table = pa.Table.from_batches(batches, self._columns).combine_chunks()
        whole = table.to_batches()[0] if batches else pa.RecordBatch.from_pylist([], self._columns)
        lines = pa.array([line.number for line in rows if line.number not in bad], pa.int64())
        return Block(whole, lines, bad_rows, first_line + line_count - 1, len(data))

    def _salvage(self, rows: list[_Line], bad_rows: list[BadRow]) -> Iterator[pa.RecordBatch]:
        """Halve down to the lines that the same parser refuses alone: what is accepted depends on no neighbour."""
        if not rows:
            return
        batch = self._strict(b"".join(line.raw + b"\n" for line in rows), len(rows))
        if batch is not None:
            yield batch
        elif len(rows) == 1:
            raw = rows[0].raw.removesuffix(b"\r")
            bad_rows.append(BadRow(rows[0].number, raw, self._cause(raw)))
        else:
            middle = len(rows) // 2
            yield from self._salvage(rows[:middle], bad_rows)
            yield from self._salvage(rows[middle:], bad_rows)

    def _strict(self, data: bytes, line_count: int) -> pa.RecordBatch | None:
        """The batch, if each line is a row and each row is good."""
        if not data.isascii() and not _is_utf8(data):
            return None
        quoted = b'"' in data
        # A quote that does not close swallows lines: fewer rows than lines. Behind the last line it swallows this:
        guard = b"," * (self._width - 1) + b"\n" if quoted else b""
        try:
            batch = self._read(data + guard if quoted else data, quoted, self._convert)
        except pa.ArrowInvalid:
            return None
        if batch.num_rows != line_count + bool(quoted):
            return None
        batch = batch.slice(0, line_count)
        if not self._is_sound(batch):
            return None
        return pa.RecordBatch.from_arrays(batch.columns, schema=self._columns)

    def _read(self, data: bytes, quoted: bool, convert: pa.csv.ConvertOptions) -> pa.RecordBatch:
        table = pa.csv.read_csv(
            cast(IO[bytes], pa.BufferReader(data)),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._names),
            parse_options=self._quoted if quoted else self._plain,
            convert_options=convert,
        )
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)

    def _is_sound(self, batch: pa.RecordBatch) -> bool:
        for field, column in zip(self._columns, batch.columns, strict=True):
            if column.null_count and not field.nullable:
                return False
            if pa.types.is_floating(field.type) and pc.all(pc.is_finite(column)).as_py() is False:
                return False
        return True

    def _cause(self, raw: bytes) -> str:
        """Why a line is refused, in words."""
        if not _is_utf8(raw):
            return "not UTF-8"
        if b"\r" in raw:
            return "a carriage return inside the row"
        try:
            cells = next(csv.reader([raw.decode()], strict=True))
        except csv.Error as error:
            return f"quotes: {error}"
        if len(cells) != self._width:
            return f"{len(cells)} columns where the header has {self._width}"
        for field in self._columns:
            cause = self._cell_cause(field, raw)
            if cause:
                cell = cells[self._names.index(field.name)]
                return f"{field.name} {cause}: {cell[:_SHOWN_CHARACTERS]!r}"
        return "not a row"

    def _cell_cause(self, field: "pa.Field[Any]", raw: bytes) -> str:
        try:
            column = self._read(raw + b"\n", True, _convert_options(pa.schema([field]))).column(0)
        except pa.ArrowInvalid:
            return f"is no {field.type}"
        value = column[0].as_py()
        if value is None and not field.nullable:
            return "is empty"
        return "is not finite" if isinstance(value, float) and not math.isfinite(value) else ""


def _convert_options(columns: pa.Schema) -> pa.csv.ConvertOptions:
    return pa.csv.ConvertOptions(
        column_types=columns, include_columns=columns.names, null_values=[""], strings_can_be_null=True
    )


def _newlines(data: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
