"""What a topic holds, in the terms of a receipt: records, days, and the chained hash of `stoculus.checkpoints`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from stoculus.checkpoints import NO_HASH
from stoculus.connections import Kafka
from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import PartitionReader
from stoculus.reading.times import EPOCH_DAY, new_york_days
from stoculus.records.catalog import RecordType
from stoculus.records.digest import DayDigest


@dataclass(frozen=True, slots=True)
class TopicHash:
    """`days`: records per New York day; `hash`: over key, event time and body of every record, the days chained."""

    records: int
    days: dict[date, int]
    hash: str


def topic_hash(kafka: Kafka, decoder: Decoder, topic: str, record: RecordType) -> TopicHash:
    """Read the committed records of a topic and hash them as their writer did: the receipt says the same."""
    digest = DayDigest()
    days: dict[date, int] = {}
    with PartitionReader(kafka, topic) as reader:
        for values in reader.read_values(reader.first):
            keys, bodies = pa.array(values.keys, pa.binary()), pa.array(values.bodies, pa.binary())
            times = decoder.decode_values(values, record)["ts_event"]
            for day, start, count in day_runs(times):
                if day != digest.day:
                    digest = DayDigest(day, digest.digest()) if days else DayDigest(day)
                days[day] = days.get(day, 0) + count
                digest.add(keys.slice(start, count), times.slice(start, count), bodies.slice(start, count))
    return TopicHash(sum(days.values()), days, digest.digest() if days else NO_HASH)


def day_runs(times: Any) -> Iterator[tuple[date, int, int]]:
    """Stretches of records of one New York day: the day, the first index, how many."""
    days = new_york_days(times)
    changes = np.flatnonzero(np.diff(days)) + 1
    for start, end in pairwise([0, *changes.tolist(), len(days)]):
        yield EPOCH_DAY + timedelta(days=int(days[start])), start, end - start
