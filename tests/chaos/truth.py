"""The judge: what the vendor answers, and what stands on the topics, both read without the suite's own code.

The vendor's CSV is fetched from the simulator and converted here; topics are read by a plain consumer and fastavro.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final
from zoneinfo import ZoneInfo

import fastavro
import httpx2
from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from stoculus.reading.decoding import Decoder
from stoculus.reading.proof import topic_hash
from stoculus.records.catalog import record_type
from tests.chaos.world import World, until

NEW_YORK: Final = ZoneInfo("America/New_York")
PATHS: Final = {"trade": "trade", "ohlcv": "ohlc"}
RECORDS: Final = {"trade": "StockTrade", "ohlcv": "StockOhlcv"}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a test submits; `interval` for bars. Session `extended`."""

    symbols: tuple[str, ...]
    schema: str
    days: tuple[date, ...]
    interval: str | None = None

    def body(self, backtest_id: str) -> dict[str, Any]:
        data = {"asset": "stock", "symbols": list(self.symbols), "schema": self.schema}
        return {
            "backtest_id": backtest_id,
            "start": f"{self.days[0]}",
            "end": f"{self.days[-1]}",
            "session": "extended",
            "data": [data | ({"interval": self.interval} if self.interval else {})],
        }

    def task(self, backtest_id: str) -> dict[str, Any]:
        """The body of the first symbol's task, as a service takes it."""
        return {
            "backtest_id": backtest_id,
            "ticker": self.symbols[0],
            "schema": self.schema,
            "interval": self.interval,
            "start": f"{self.days[0]}",
            "end": f"{self.days[-1]}",
            "session": "extended",
        }

    def topic(self, symbol: str, backtest_id: str) -> str:
        return f"stock-{symbol.lower()}-{self.schema}{self.interval or ''}-historical-{backtest_id}"


def verify(world: World, backtest_id: str, selection: Selection, *, left_out: frozenset[int] = frozenset()) -> None:
    """Compare each topic of a completed backtest with the vendor row by row, and its receipt with both.

    `left_out`: the numbers, from 0, of the vendor's rows that were malformed.
    """
    world.heal()
    answer = world.api.get(f"/v1/backtests/{backtest_id}/receipt").raise_for_status().json()
    receipts = {receipt["task_id"]: receipt for receipt in answer["receipts"]}
    assert receipts.keys() == {selection.topic(symbol, backtest_id) for symbol in selection.symbols}
    for symbol in selection.symbols:
        topic = selection.topic(symbol, backtest_id)
        expected = (row for n, row in enumerate(vendor_rows(world, symbol, selection)) if n not in left_out)
        count, last_offset = compare(world, topic, symbol, expected)
        receipt = receipts[topic]
        read = topic_hash(world.kafka, Decoder(world.registry), topic, record_type(RECORDS[selection.schema]))
        assert count == read.records == receipt["records"]
        assert receipt["last_offset"] == last_offset
        assert receipt["hash"] == read.hash
        assert receipt["days"] == {f"{day}": records for day, records in read.days.items()}
        assert receipt["bad_rows"] == len(left_out)


def compare(
    world: World, topic: str, symbol: str, expected: Iterator[Row], *, complete: bool = True
) -> tuple[int, int | None]:
    """Compare a topic with the vendor's rows in order; return how many it holds and the offset of the last.

    Not `complete`: the topic may end early, but what it holds is the beginning.
    """
    count, last_offset = 0, None
    for row, message in zip_longest(expected, messages(world, topic)):
        if message is None and not complete:
            break
        assert message is not None, f"{topic} ends after {count} records; the vendor goes on with {row}"
        found = record(world, message)
        assert row == found, f"{topic}, record {count}: the vendor has {row}, the topic {found}"
        assert message.key() == symbol.encode()
        assert message.timestamp()[1] == (found[1] - EPOCH) // timedelta(milliseconds=1)
        count, last_offset = count + 1, message.offset()
    return count, last_offset


def vendor_rows(world: World, symbol: str, selection: Selection) -> Iterator[Row]:
    """The vendor's rows as records, in the order of the record's fields; bars without trades left out."""
    fields = record_type(RECORDS[selection.schema]).arrow.names[2:]
    for day in selection.days:
        params = {
            "symbol": symbol,
            "date": f"{day:%Y%m%d}",
            "start_time": "00:00:00.000",
            "end_time": "23:59:59.999",
            "venue": "utp_cta",
            "format": "csv",
        } | ({"interval": selection.interval} if selection.interval else {})
        url = f"{world.vendor_url}/v3/stock/history/{PATHS[selection.schema]}"
        answer = httpx2.get(url, params=params, trust_env=False, timeout=120).raise_for_status()
        for row in csv.DictReader(io.StringIO(answer.text)):
            if row.get("count") == "0" and row["volume"] == "0":
                continue
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=NEW_YORK).astimezone(UTC)
            yield (symbol, at, *(_value(name, row[name]) for name in fields))


def _value(name: str, text: str) -> Any:
    if name.startswith("ext_condition"):
        return None if text == "255" else int(text)
    return float(text) if name in ("price", "open", "high", "low", "close", "vwap") else int(text)


def record(world: World, message: Message) -> Row:
    """The value of a message by the schema that the registry has for its id."""
    value = message.value() or b""
    assert value[:1] == b"\0"
    schema = _schema(world, int.from_bytes(value[1:5], "big"))
    decoded: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    return tuple(decoded.values())


_SCHEMAS: dict[tuple[str, int], Any] = {}


def _schema(world: World, schema_id: int) -> Any:
    key = world.registry.url, schema_id
    if key not in _SCHEMAS:
        found = httpx2.get(f"{world.registry.url}/schemas/ids/{schema_id}", trust_env=False).raise_for_status()
        _SCHEMAS[key] = fastavro.parse_schema(json.loads(found.json()["schema"]))
    return _SCHEMAS[key]


def messages(world: World, topic: str, partition: int = 0) -> Iterator[Message]:
    """What a read_committed consumer gets from the first offset to the end; the end must be reached."""
    consumer = Consumer(
        {
            **world.kafka.config,
            "group.id": "judge",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while True:
            for message in consumer.consume(2000, 0.1):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                else:
                    raise AssertionError(f"reading {topic}: {error}")
    finally:
        consumer.close()


def require_no_open_transaction(world: World, *topics: str) -> None:
    """Every partition can be read committed to its end: the last stable offset is the high watermark."""
    admin = AdminClient(world.kafka.config)
    metadata = admin.list_topics(timeout=15).topics
    partitions = [TopicPartition(topic, number) for topic in topics for number in metadata[topic].partitions]

    def ends(level: IsolationLevel) -> list[int]:
        wanted = {partition: OffsetSpec.latest() for partition in partitions}  # type: ignore[no-untyped-call]
        found = admin.list_offsets(wanted, isolation_level=level)
        return [found[partition].result().offset for partition in partitions]

    until(
        lambda: ends(IsolationLevel.READ_COMMITTED) == ends(IsolationLevel.READ_UNCOMMITTED),
        f"all transactions on {topics} are over",
        deadline_s=40,
    )
