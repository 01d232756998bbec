import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable, NotFound, TopicLost
from stoculus.kafka import admin
from stoculus.reading.decoding import Decoder
from stoculus.reading.range import follow_topic, read_range, read_topic
from stoculus.records.catalog import record_type

QUOTE = record_type("StockQuote")


@pytest.mark.parametrize("page", [37, 100, 101, 300, 1000])
def test_pages_joined_are_the_committed_records(holed: Any, decoder: Decoder, page: int) -> None:
    offset, pages = 0, []
    for _ in range(300 // page + 1):
        batch, offset = read_range(holed.kafka, decoder, holed.name, QUOTE, offset, page)
        pages.append(batch)
        if not batch.num_rows:
            break

    assert pa.Table.from_batches(pages).equals(holed.committed)
    assert all(batch.num_rows == page for batch in pages[: 300 // page])


def test_the_next_offset_is_behind_the_markers_at_the_end(holed: Any, decoder: Decoder) -> None:
    batch, after = read_range(holed.kafka, decoder, holed.name, QUOTE, 0, 1000)

    assert batch.num_rows == 300
    assert after == 300 + 50 + 20 + 6
    empty, again = read_range(holed.kafka, decoder, holed.name, QUOTE, after, 1000)
    assert (empty.num_rows, empty.schema, again) == (0, QUOTE.arrow, after)


def test_a_range_may_begin_in_a_hole(holed: Any, decoder: Decoder) -> None:
    batch, _ = read_range(holed.kafka, decoder, holed.name, QUOTE, 110, 1)

    assert batch.to_pylist() == holed.committed.slice(101, 1).to_pylist()


def test_a_start_behind_the_end_is_empty(holed: Any, decoder: Decoder) -> None:
    batch, after = read_range(holed.kafka, decoder, holed.name, QUOTE, 10**9, 5)

    assert (batch.num_rows, after) == (0, 10**9)


def test_an_open_transaction_is_not_waited_for(new_topic: Callable[[], Any], holed: Any, decoder: Decoder) -> None:
    topic = new_topic().write(holed.batches[0])

    with topic.open_transaction(holed.batches[1]):
        topic.write(holed.batches[2])
        hidden, after = read_range(topic.kafka, decoder, topic.name, QUOTE, 0, 1000)
    batch, _ = read_range(topic.kafka, decoder, topic.name, QUOTE, after, 1000)

    assert hidden.equals(holed.batches[0])
    assert batch.equals(holed.batches[2])


def test_an_empty_topic_is_read_to_its_end(new_topic: Callable[[], Any], decoder: Decoder) -> None:
    topic = new_topic()

    assert read_range(topic.kafka, decoder, topic.name, QUOTE, 0, 10)[1] == 0
    assert list(read_topic(topic.kafka, decoder, topic.name)) == []


def test_a_topic_is_read_whole_or_from_an_offset(holed: Any, decoder: Decoder) -> None:
    whole = list(read_topic(holed.kafka, decoder, holed.name))
    rest = list(read_topic(holed.kafka, decoder, holed.name, 100, limit=5))

    assert pa.Table.from_batches(whole).equals(holed.committed)
    assert pa.Table.from_batches(rest).equals(holed.committed.slice(100, 5))


def test_what_is_written_later_follows(new_topic: Callable[[], Any], holed: Any, decoder: Decoder) -> None:
    topic = new_topic().write(holed.batches[0])
    later = threading.Thread(target=topic.write, args=(holed.batches[1], holed.batches[2]))
    rows = 0

    for batch in follow_topic(topic.kafka, decoder, topic.name, limit=200):
        rows += batch.num_rows
        if rows == 100:
            later.start()

    later.join()
    assert rows == 200


def test_an_unknown_topic_is_named(holed: Any, decoder: Decoder) -> None:
    with pytest.raises(NotFound, match="no topic stock-nope"):
        read_range(holed.kafka, decoder, "stock-nope", QUOTE, 0, 1)


def test_records_that_were_deleted_are_not_passed_over(
    new_topic: Callable[[], Any], holed: Any, decoder: Decoder
) -> None:
    topic = new_topic().write(holed.batches[0])
    client = admin.connect(topic.kafka)
    from confluent_kafka import TopicPartition

    for future in client.delete_records([TopicPartition(topic.name, 0, 40)]).values():
        future.result()

    with pytest.raises(TopicLost, match="gone"):
        read_range(topic.kafka, decoder, topic.name, QUOTE, 0, 10)
    assert sum(batch.num_rows for batch in read_topic(topic.kafka, decoder, topic.name)) == 60


def test_a_broker_that_is_away_is_named(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoculus.reading.partition.REQUEST_TIMEOUT_S", 0.2)

    with pytest.raises(BrokerUnavailable, match="reading stock-x"):
        read_range(Kafka("127.0.0.1:1"), decoder, "stock-x", QUOTE, 0, 1)
