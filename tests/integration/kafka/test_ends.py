import pytest
from confluent_kafka import Producer

from stoculus.errors import TopicLost
from stoculus.kafka.ends import Ends, last_record_offset, topic_ends
from tests.conftest import Broker
from tests.integration.kafka.conftest import Transactional, read_all


def write(producer: Producer, topic: str, rows: int, *, commit: bool = True) -> None:
    producer.begin_transaction()
    for row in range(rows):
        producer.produce(topic, b"value", b"key", timestamp=1_000 + row)
    producer.flush()
    producer.commit_transaction(30) if commit else producer.abort_transaction(30)


def test_a_new_topic_has_no_last_record(broker: Broker, topic: str) -> None:
    assert topic_ends(broker.kafka, topic) == Ends(0, 0)
    assert last_record_offset(broker.kafka, topic) is None


def test_markers_take_offsets_but_are_no_records(broker: Broker, topic: str, transactional: Transactional) -> None:
    producer = transactional()
    write(producer, topic, 3)
    assert last_record_offset(broker.kafka, topic) == 2
    write(producer, topic, 2)
    assert last_record_offset(broker.kafka, topic) == 5
    assert topic_ends(broker.kafka, topic).high == 7
    assert [record.offset for record in read_all(broker.kafka, topic)] == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("aborted", [1, 3, 20, 500])
def test_aborted_records_behind_the_last_are_passed_over(
    broker: Broker, topic: str, transactional: Transactional, aborted: int
) -> None:
    producer = transactional()
    write(producer, topic, 10)
    for _ in range(3):
        write(producer, topic, aborted, commit=False)

    assert last_record_offset(broker.kafka, topic) == 9


def test_a_topic_of_aborted_records_alone_has_no_last_one(
    broker: Broker, topic: str, transactional: Transactional
) -> None:
    write(transactional(), topic, 30, commit=False)

    assert last_record_offset(broker.kafka, topic) is None


def test_a_topic_that_is_missing_is_lost(broker: Broker) -> None:
    with pytest.raises(TopicLost, match="never-was"):
        topic_ends(broker.kafka, "never-was")
