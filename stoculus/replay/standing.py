"""What stands on topics that are played to: the records of an earlier run, or what has arrived of this one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from stoculus.errors import TopicLost
from stoculus.kafka import admin
from stoculus.kafka.reachable import reachable_kafka
from stoculus.reading.decoding import Decoder
from stoculus.reading.merge import available_us
from stoculus.reading.partition import PartitionReader
from stoculus.records.catalog import Schema
from stoculus.replay.rows import Mark
from stoculus.settings import Connections

_LATEST: Final[Any] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_LOOK_BACK_RECORDS: Final = 1_000
_AT_ONCE: Final = 16


class Standing:
    """Topics by their numbers. Their writers use no transactions: each offset is a record."""

    def __init__(self, settings: Connections, names: Sequence[str], schemas: Sequence[Schema]) -> None:
        self._kafka = settings.kafka
        self._decoder = Decoder(settings.registry)
        self._admin = admin.connect(settings.kafka)
        self._names = names
        self._schemas = schemas

    def make(self) -> None:
        """Make the topics that are not there."""
        admin.create_topics(self._admin, self._names, admin.DATA_CONFIG)

    def those_there(self) -> list[int]:
        """Which topics are there; raise BrokerUnavailable at once where Kafka is away."""
        reachable_kafka(self._kafka)
        there = admin.partition_counts(self._admin)
        return [number for number, name in enumerate(self._names) if name in there]

    def ends(self, numbers: Sequence[int]) -> dict[int, int]:
        """How many records were ever written to each; raise TopicLost, BrokerUnavailable."""
        if not numbers:
            return {}
        wanted = {TopicPartition(self._names[number], 0): _LATEST for number in numbers}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=admin.REQUEST_TIMEOUT_S)
            by_name = {place.topic: future.result().offset for place, future in found.items()}
        except KafkaException as error:
            if error.args[0].code() in admin.NO_TOPIC:
                raise TopicLost("A topic that is played to is gone.", remedy="Was it deleted?") from error
            raise admin.broker_error(error, "reading the ends of replayed topics") from error
        return {number: by_name[self._names[number]] for number in numbers}

    def marks(self, numbers: Sequence[int]) -> dict[int, Mark]:
        """How far each has come; empty ones are left out."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = zip(numbers, threads.map(self._mark, numbers), strict=True)
            return {number: mark for number, mark in found if mark is not None}

    def _mark(self, number: int) -> Mark | None:
        topic, schema = self._names[number], self._schemas[number]
        span = _LOOK_BACK_RECORDS
        with PartitionReader(self._kafka, topic) as reader:
            while reader.end > reader.first:
                start = max(reader.end - span, reader.first)
                last_us, run, records = 0, 0, 0
                for values in reader.read_values(start):
                    times = available_us(self._decoder.decode_values(values, schema.record, topic=topic), schema)
                    others = (times != times[-1]).nonzero()[0]
                    more = run if not len(others) and int(times[-1]) == last_us else 0
                    run = len(times) - 1 - int(others.max(initial=-1)) + more
                    last_us, records = int(times[-1]), records + len(times)
                if run < records or start == reader.first:
                    return Mark(last_us, run)
                span *= 10
        return None
