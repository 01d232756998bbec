"""CSV bytes of one answer to Arrow batches: columns by header name, bad rows set apart with line and cause."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from stoculus.errors import ColumnsMissing, VendorAnswerMalformed

_MOST_BAD_ROWS = 10_000  # a bad row costs about half a millisecond
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read. `line` counts in the vendor's body from 1, the header; `raw` has no line end."""

    line: int
    raw: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of an answer, in its order.

    `batch` has the columns asked for, `lines` the line of each of its rows, `bad_rows` what stood between them;
    `data` is what was sent, from line `first_line` on.
    """

    batch: pa.RecordBatch
    lines: pa.Int64Array
    bad_rows: list[BadRow]
    data: bytes
    first_line: int

    @property
    def raw_bytes(self) -> int:
        """The size as sent."""
        return len(self.data)

    def raw_lines(self, lines: Sequence[int]) -> list[bytes]:
        """Lines as sent, without their ends."""
        sent = self.data.split(b"\n") if lines else []
        return [sent[line - self.first_line].removesuffix(b"\r") for line in lines]

    @property
    def last_line(self) -> int:
        """The line of the last row, good or bad; 0 where there is none."""
        last_good = self.lines[-1].as_py() if len(self.lines) else None
        return max(last_good or 0, self.bad_rows[-1].line if self.bad_rows else 0)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    raw: bytes


class _Refused(Exception):
    """Some line is no good row. The text says why, where there is only one line."""


class Table:
    """The parser of one answer: its header's names, and the columns asked for.

    A null in a column that is not nullable, NaN and infinity make a row bad, as does whatever pyarrow.csv refuses.
    """

    def __init__(self, names: Sequence[str], columns: pa.Schema, request: str) -> None:
        missing = [name for name in columns.names if names.count(name) != 1]
        if missing:
            raise ColumnsMissing(
                f"The answer to {request} lacks (or repeats) the columns {', '.join(missing)}:"
                f" expected {','.join(columns.names)}; got {','.join(names)}.",
                remedy="The vendor changed its format: the suite needs an update.",
            )
        self._columns = columns
        self._width = len(names)
        self._names = list(names)
        self._request = request
        self._convert = pa.csv.ConvertOptions(
            column_types=columns, include_columns=columns.names, null_values=[""], strings_can_be_null=True
        )
        self._plain = pa.csv.ParseOptions(quote_char=False)
        self._quoted = pa.csv.ParseOptions()

    def block(self, sent: bytes, first_line: int) -> Block:
        """The rows of whole lines; `first_line` is the line number of the first."""
        data = sent
        if data.endswith((b"\n\n", b"\n\r\n")):  # so ends each answer of a live terminal
            data = data[: data.find(b"\n", len(data.rstrip(b"\r\n"))) + 1]
        line_count = count_lines(data)
        try:
            batch = self._strict(data, line_count)
        except _Refused:
            return self._salvaged(sent, first_line)
        lines = pa.array(np.arange(first_line, first_line + line_count), pa.int64())
        return Block(batch, lines, [], sent, first_line)

    def _salvaged(self, data: bytes, first_line: int) -> Block:
        numbered = (_Line(number, raw) for number, raw in enumerate(data.split(b"\n")[:-1], first_line))
        rows = [line for line in numbered if line.raw.strip(b"\r")]
        bad_rows: list[BadRow] = []
        good = pa.Table.from_batches(self._good_runs(rows, bad_rows), self._columns)
        bad_lines = {row.line for row in bad_rows}
        lines = pa.array([line.number for line in rows if line.number not in bad_lines], pa.int64())
        return Block(_one_batch(good), lines, bad_rows, data, first_line)

    def _good_runs(self, rows: list[_Line], bad_rows: list[BadRow]) -> Iterator[pa.RecordBatch]:
        """Halve down to the lines that the same parser refuses alone: what is accepted depends on no neighbour."""
        if not rows:
            return
        try:
            yield self._strict(b"".join(line.raw + b"\n" for line in rows), len(rows))
            return
        except _Refused as refused:
            cause = str(refused)
        if len(rows) == 1:
            self._add(bad_rows, BadRow(rows[0].number, rows[0].raw.removesuffix(b"\r"), cause))
        else:
            middle = len(rows) // 2
            yield from self._good_runs(rows[:middle], bad_rows)
            yield from self._good_runs(rows[middle:], bad_rows)

    def _add(self, bad_rows: list[BadRow], bad: BadRow) -> None:
        bad_rows.append(bad)
        if len(bad_rows) > _MOST_BAD_ROWS:
            first = bad_rows[0]
            raise VendorAnswerMalformed(
                f"The answer to {self._request} has too many rows that cannot be read, first line {first.line}:"
                f" {first.cause}.",
                remedy="The vendor changed its format: the suite needs an update.",
                detail=first.raw.decode("utf-8", "replace"),
            )

    def _strict(self, data: bytes, line_count: int) -> pa.RecordBatch:
        """The batch, if each line is a row and each row is good."""
        if not data.isascii() and not _is_utf8(data):
            raise _Refused("not UTF-8")
        quoted = b'"' in data
        # A quote that does not close swallows lines: fewer rows than lines. Behind the last line it swallows this:
        guard = b"," * (self._width - 1) + b"\n" if quoted else b""
        try:
            batch = self._read(data + guard if quoted else data, quoted)
        except pa.ArrowInvalid as error:
            open_quote = data.count(b'"') % 2
            raise _Refused("a quote that does not close" if open_quote else self._cause(f"{error}")) from error
        if batch.num_rows != line_count + bool(quoted):
            raise _Refused("a quote that does not close" if quoted else "a line end inside the row")
        batch = batch.slice(0, line_count)
        self._check_values(batch)
        return pa.RecordBatch.from_arrays(batch.columns, schema=self._columns)

    def _read(self, data: bytes, quoted: bool) -> pa.RecordBatch:
        table = pa.csv.read_csv(
            cast(IO[bytes], pa.BufferReader(data)),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._names),
            parse_options=self._quoted if quoted else self._plain,
            convert_options=self._convert,
        )
        return _one_batch(table)

    def _check_values(self, batch: pa.RecordBatch) -> None:
        for field, column in zip(self._columns, batch.columns, strict=True):
            if column.null_count and not field.nullable:
                raise _Refused(f"{field.name} is empty")
            if pa.types.is_floating(field.type) and pc.all(pc.is_finite(column)).as_py() is False:
                raise _Refused(f"{field.name} is not finite")

    def _cause(self, said: str) -> str:
        """What pyarrow said, with the column's name for its number, and shorter."""
        width = re.search(r"Expected \d+ columns, got (\d+)", said)
        if width:
            return f"{width[1]} columns where the header has {self._width}"
        cell = re.search(r"In CSV column #(\d+): .*CSV conversion error to (.*)", said, re.DOTALL)
        text = f"{self._names[int(cell[1])]}: {cell[2]}" if cell else said
        return text[:_SHOWN_CHARACTERS]


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)


def count_lines(data: bytes) -> int:
    """The line ends in the data."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
