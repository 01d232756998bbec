from collections.abc import Callable
from datetime import date
from typing import Any

from stoculus.checkpoints import NO_HASH
from stoculus.reading.decoding import Decoder
from stoculus.reading.proof import topic_hash
from stoculus.records import codec
from stoculus.records.catalog import record_type
from stoculus.records.digest import DayDigest

QUOTE = record_type("StockQuote")
CHAIN_QUOTE = record_type("OptionQuote")
DAY_US = 86_400_000_000


def test_a_topic_hashes_as_its_writer_did(new_topic: Callable[[], Any], holed: Any, decoder: Decoder) -> None:
    rows = holed.batches[0]
    later = rows.set_column(1, "ts_event", rows["ts_event"].cast("int64").to_numpy() + DAY_US)
    second_day = later.cast(QUOTE.arrow)
    topic = new_topic().write(rows.slice(0, 30)).abort(rows).write(rows.slice(30), second_day)
    first = DayDigest(date(2024, 1, 2))
    first.add(b"AAPL", rows["ts_event"], codec.encode(rows, QUOTE))
    second = DayDigest(date(2024, 1, 3), first.digest())
    second.add(second_day["symbol"], second_day["ts_event"], codec.encode(second_day, QUOTE))

    found = topic_hash(topic.kafka, decoder, topic.name, QUOTE)

    assert (found.records, found.days) == (200, {date(2024, 1, 2): 100, date(2024, 1, 3): 100})
    assert found.hash == second.digest()


def test_a_chain_hashes_with_the_key_of_each_row(chain_topic: Any, decoder: Decoder) -> None:
    digest = DayDigest(date(2024, 1, 2))
    for rows in chain_topic.batches:
        digest.add(rows["symbol"], rows["ts_event"], codec.encode(rows, CHAIN_QUOTE))

    found = topic_hash(chain_topic.kafka, decoder, chain_topic.name, CHAIN_QUOTE)

    assert (found.records, found.days, found.hash) == (400, {date(2024, 1, 2): 400}, digest.digest())


def test_one_row_more_is_another_hash(new_topic: Callable[[], Any], holed: Any, decoder: Decoder) -> None:
    topic = new_topic().write(holed.batches[0])
    before = topic_hash(topic.kafka, decoder, topic.name, QUOTE)

    topic.write(holed.batches[0].slice(99))

    assert topic_hash(topic.kafka, decoder, topic.name, QUOTE).hash != before.hash


def test_a_topic_without_records_has_no_hash(new_topic: Callable[[], Any], decoder: Decoder) -> None:
    topic = new_topic()

    found = topic_hash(topic.kafka, decoder, topic.name, QUOTE)

    assert (found.records, found.days, found.hash) == (0, {}, NO_HASH)
