"""Records to Parquet, CSV and JSON and back: what was written is read with the same types and values."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, json
from pyarrow import parquet as pq

from stoculus.errors import InvalidRequest
from stoculus.export import Format
from stoculus.records.catalog import RecordType

ROW_GROUP_RECORDS: Final = 131_072
"""What a row group of Parquet holds at least; the last one of a file may hold fewer."""
_BATCH_RECORDS: Final = 32_768
_BLOCK_BYTES: Final = 4 << 20


class Writer(Protocol):
    """Writes batches to a file that was opened elsewhere."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None:
        """Write what is still held; the file stays open."""
        ...

    def abandon(self) -> None:
        """Write nothing any more."""
        ...


def open_writer(form: Format, file: IO[bytes], schema: pa.Schema) -> Writer:
    """A writer of batches of this schema; Parquet keeps its metadata."""
    writers: dict[Format, Callable[[IO[bytes], pa.Schema], Writer]] = {
        Format.PARQUET: _Parquet,
        Format.CSV: _Csv,
        Format.JSON: _Json,
    }
    return writers[form](file, schema)


def read_batches(form: Format, path: Path, record: RecordType) -> Iterator[pa.RecordBatch]:
    """The records of a file, with the columns of `record.arrow`.

    A column that may be null may be missing: an older version of the record has fewer. Raise OSError or
    pa.ArrowException where the file is not of the format, or of another record.
    """
    read = {Format.PARQUET: _read_parquet, Format.CSV: _read_csv, Format.JSON: _read_json}[form]
    for batch in read(path, record.arrow):
        names = set(batch.schema.names)
        columns = [
            batch[field.name].cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type)
            for field in record.arrow
        ]
        for column, field in zip(columns, record.arrow, strict=True):
            if column.null_count and not field.nullable:
                raise pa.ArrowInvalid(f"records have no {field.name}")
        yield pa.RecordBatch.from_arrays(columns, schema=record.arrow)


class _Parquet:
    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        if sum(held.num_rows for held in self._held) >= ROW_GROUP_RECORDS:
            self._write_row_group()

    def close(self) -> None:
        if self._held:
            self._write_row_group()
        self._writer.close()

    def abandon(self) -> None:
        self._writer.is_open = False  # else it writes a footer when it is collected

    def _write_row_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._held))
        self._held = []


class _Csv:
    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        options = csv.WriteOptions(batch_size=_BATCH_RECORDS, quoting_style="needed")
        self._writer = csv.CSVWriter(file, schema, write_options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()

    def abandon(self) -> None:
        pass


class _Json:
    def __init__(self, file: IO[bytes], _schema: pa.Schema) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(_json_lines(batch))

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


def _json_lines(batch: pa.RecordBatch) -> bytes:
    parts: list[Any] = []
    for field in batch.schema:
        parts += [f'{"," if parts else "{"}"{field.name}":', _json_values(batch[field.name], field)]
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    return "".join(lines.to_pylist()).encode()


def _json_values(column: "pa.Array[Any]", field: "pa.Field[Any]") -> "pa.Array[Any]":
    if pa.types.is_floating(field.type) and pc.all(pc.is_finite(column)).as_py() is False:
        raise InvalidRequest(
            f"{field.name} is infinite or no number in some records: JSON has no word for it.",
            remedy="Use --format parquet or csv.",
        )
    values: Any
    if pa.types.is_string(field.type):
        coded = column.dictionary_encode()
        texts = pa.array([orjson.dumps(value).decode() for value in coded.dictionary.to_pylist()], pa.string())
        values = texts.take(coded.indices)
    else:
        values = column.cast(pa.string())
    if pa.types.is_timestamp(field.type):
        values = pc.binary_replace_slice(values, 10, 11, "T")
    if pa.types.is_temporal(field.type):
        values = pc.binary_join_element_wise('"', values, '"', "")
    return values.fill_null("null")  # type: ignore[no-any-return]


def _read_parquet(path: Path, _schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH_RECORDS)


def _read_csv(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    conversion = csv.ConvertOptions(
        column_types={field.name: field.type for field in schema},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES)
    parsing = csv.ParseOptions(newlines_in_values=True)
    with csv.open_csv(path, reading, parsing, conversion) as reader:
        yield from reader


def _read_json(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # Times and days are cast from strings afterwards: the parser wants days as numbers.
    told = [pa.field(f.name, pa.string() if pa.types.is_temporal(f.type) else f.type) for f in schema]
    parsing = json.ParseOptions(explicit_schema=pa.schema(told), unexpected_field_behavior="ignore")
    with json.open_json(path, json.ReadOptions(block_size=_BLOCK_BYTES), parsing) as reader:
        yield from reader
