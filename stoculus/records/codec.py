"""Arrow batches to Avro bodies and back. Bodies have no registry header: see `framing`."""

from collections.abc import Sequence

import pyarrow as pa
import pyruhvro

from stoculus.records.catalog import RecordType


def encode(batch: pa.RecordBatch, record: RecordType) -> pa.BinaryArray:
    """Encode each row of the batch, whose columns are those of `record.arrow`, to an Avro body.

    Raise ValueError for a null in a field that has none: the encoder would write 0 without a word.
    """
    for field in record.arrow:
        if not field.nullable and batch.column(field.name).null_count:
            raise ValueError(f"{record.name}.{field.name} has {batch.column(field.name).null_count} nulls")
    if not batch.num_rows:
        return pa.array([], pa.binary())
    (bodies,) = pyruhvro.serialize_record_batch(batch, record.avro, 1)
    return bodies  # type: ignore[no-any-return]


def decode(bodies: Sequence[bytes], record: RecordType) -> pa.RecordBatch:
    """Decode Avro bodies to a batch with the columns of `record.arrow`."""
    if not bodies:
        return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in record.arrow], schema=record.arrow)
    rows = pyruhvro.deserialize_array(list(bodies), record.avro)
    # The decoder leaves the time zone out; the values are UTC.
    columns = [column.cast(field.type) for column, field in zip(rows.columns, record.arrow, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=record.arrow)
