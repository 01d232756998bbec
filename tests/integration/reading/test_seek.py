from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from stoculus.errors import NotFound
from stoculus.reading.decoding import Decoder
from stoculus.reading.range import read_range
from stoculus.reading.seek import offset_at
from stoculus.records.catalog import record_type

QUOTE = record_type("StockQuote")
OPEN_US = 1_704_205_800_000_000


def first_at_or_after(topic: Any, decoder: Decoder, ts_us: int) -> list[dict[str, Any]]:
    offset = offset_at(topic.kafka, topic.name, ts_us)
    rows: list[dict[str, Any]] = read_range(topic.kafka, decoder, topic.name, QUOTE, offset, 1)[0].to_pylist()
    return rows


def test_a_time_finds_the_first_record_at_or_after_it_across_holes(holed: Any, decoder: Decoder) -> None:
    random = Random(7)
    picked = [0, 1, 99, 100, 101, 199, 200, 299, *(random.randrange(300) for _ in range(10))]

    for index in picked:
        exact = OPEN_US + index * 7000
        expected = holed.committed.slice(index, 1).to_pylist()
        assert first_at_or_after(holed, decoder, exact) == expected, index
        assert first_at_or_after(holed, decoder, exact - 6999) == expected, index


def test_a_time_before_the_topic_finds_its_first_record(holed: Any, decoder: Decoder) -> None:
    assert offset_at(holed.kafka, holed.name, 0) == 0


def test_a_time_behind_the_last_record_finds_the_end(holed: Any) -> None:
    assert offset_at(holed.kafka, holed.name, OPEN_US + 299 * 7000 + 1) == 376


def test_of_equal_times_the_first_is_found(new_topic: Callable[[], Any], holed: Any, decoder: Decoder) -> None:
    row = holed.batches[0].slice(5, 1)
    topic = new_topic().write(holed.batches[0].slice(0, 5), row, row, row, holed.batches[0].slice(6))

    assert offset_at(topic.kafka, topic.name, OPEN_US + 5 * 7000) == 6  # five records, a marker


def test_of_a_chain_the_first_contract_at_a_time_is_found(chain_topic: Any, decoder: Decoder) -> None:
    offset = offset_at(chain_topic.kafka, chain_topic.name, OPEN_US + 40 * 60_000_000)
    batch, _ = read_range(chain_topic.kafka, decoder, chain_topic.name, record_type("OptionQuote"), offset, 5)

    assert batch.equals(chain_topic.committed.slice(160, 5).to_batches()[0])
    assert batch["symbol"][0].as_py() == "SPXW  240105C04700000"


def test_a_topic_without_records_has_only_an_end(new_topic: Callable[[], Any], holed: Any) -> None:
    topic = new_topic()
    assert offset_at(topic.kafka, topic.name, OPEN_US) == 0

    topic.abort(holed.batches[0])
    assert offset_at(topic.kafka, topic.name, OPEN_US) == 101


def test_an_unknown_topic_is_named(holed: Any) -> None:
    with pytest.raises(NotFound, match="stock-nope"):
        offset_at(holed.kafka, "stock-nope", OPEN_US)
