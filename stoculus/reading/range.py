"""A topic, or a part of it, as record batches."""

from collections.abc import Iterator

import pyarrow as pa

from stoculus.connections import Kafka
from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import PartitionReader
from stoculus.records.catalog import RecordType


def read_range(
    kafka: Kafka, decoder: Decoder, topic: str, record: RecordType, start_offset: int, max_records: int
) -> tuple[pa.RecordBatch, int]:
    """At most `max_records` committed records from an offset on, and the offset to go on with.

    It ends at the last stable offset as of the call: neither markers nor an open transaction are waited for. The batch
    has the columns of `record.arrow` and may be empty. Raise NotFound, TopicLost (records before `start_offset` gone),
    BrokerUnavailable, SchemaNotRegistered.
    """
    with PartitionReader(kafka, topic, prefetch_messages=max_records) as reader:
        batches = [
            decoder.decode_values(values, record) for values in reader.read_values(start_offset, limit=max_records)
        ]
        table = pa.Table.from_batches(batches, record.arrow).combine_chunks()
        return next(iter(table.to_batches()), decoder.decode([], record)), reader.position


def read_topic(
    kafka: Kafka, decoder: Decoder, topic: str, start_offset: int | None = None, *, limit: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The committed records of a topic from an offset (default: the first) to its end as of the call, in batches."""
    with PartitionReader(kafka, topic) as reader:
        for values in reader.read_values(reader.first if start_offset is None else start_offset, limit=limit):
            yield decoder.decode_values(values)


def follow_topic(
    kafka: Kafka, decoder: Decoder, topic: str, start_offset: int | None = None, *, limit: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The same without end: what is written later follows as it is committed."""
    with PartitionReader(kafka, topic, fetch_wait_ms=500) as reader:
        for values in reader.follow_values(reader.first if start_offset is None else start_offset, limit=limit):
            yield decoder.decode_values(values)
