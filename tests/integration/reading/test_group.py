import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import ConsumerGroupState, KafkaException, Producer

import stoculus
from stoculus.connections import Kafka
from stoculus.errors import NotFound, SchemaNotRegistered
from stoculus.kafka import admin
from stoculus.settings import Connections


@pytest.fixture
def group() -> str:
    return f"group-{uuid4().hex}"


@pytest.fixture(scope="module")
def two_topics(new_topic: Callable[[], Any], holed: Any) -> list[Any]:
    return [new_topic().write(*holed.batches), new_topic().write(*holed.batches[:2])]


def read_all(topics: list[Any], where: Connections, group: str, **options: Any) -> dict[str, pa.Table]:
    found: dict[str, list[pa.RecordBatch]] = {}
    names = [topic.name for topic in topics]
    for batch in stoculus.subscribe(names, group=group, until_end=True, settings=where, **options):
        found.setdefault(stoculus.topic_of(batch), []).append(batch)
    return {name: pa.Table.from_batches(batches) for name, batches in found.items()}


def test_each_group_gets_everything_in_order(two_topics: list[Any], where: Connections, group: str) -> None:
    for name in (group, group + "-b"):
        found = read_all(two_topics, where, name)
        assert all(found[topic.name].equals(topic.committed) for topic in two_topics)


def test_a_group_goes_on_where_it_stands(
    new_topic: Callable[[], Any], holed: Any, where: Connections, group: str
) -> None:
    topic = new_topic().write(holed.batches[0])
    assert read_all([topic], where, group)[topic.name].num_rows == 100
    assert read_all([topic], where, group) == {}

    topic.write(holed.batches[1])

    assert read_all([topic], where, group)[topic.name].equals(pa.Table.from_batches([holed.batches[1]]))


def test_two_members_share_the_topics(new_topic: Callable[[], Any], holed: Any, where: Connections, group: str) -> None:
    topics = [new_topic() for _ in range(4)]
    names = [topic.name for topic in topics]
    shares: list[dict[str, int]] = [{}, {}]

    def member(share: dict[str, int]) -> None:
        for batch in stoculus.subscribe(names, group=group, limit=600, settings=where):
            name = stoculus.topic_of(batch)
            share[name] = share.get(name, 0) + batch.num_rows

    members = [threading.Thread(target=member, args=(share,)) for share in shares]
    for thread in members:
        thread.start()
    wait_for_members(topics[0].kafka, group, 2)
    for topic in topics:
        topic.write(*holed.batches)
    for thread in members:
        thread.join(60)

    assert [sorted(share.values()) for share in shares] == [[300, 300], [300, 300]]
    assert sorted([*shares[0], *shares[1]]) == sorted(names)


def wait_for_members(kafka: Kafka, group: str, count: int) -> None:
    client = admin.connect(kafka)
    for _ in range(600):
        with suppress(KafkaException):  # nobody has joined yet
            found = client.describe_consumer_groups([group])[group].result()
            if found.state == ConsumerGroupState.STABLE and len(found.members) == count:
                return
        time.sleep(0.05)
    raise AssertionError(f"{group} never had {count} members")


def test_work_that_was_not_finished_is_handed_out_again(two_topics: list[Any], where: Connections, group: str) -> None:
    topic = two_topics[0]
    with stoculus.subscribe([topic.name], group=group, settings=where) as broken_off:
        in_hand = next(broken_off)

    found = read_all([topic], where, group)[topic.name]

    assert in_hand.num_rows
    assert found.equals(topic.committed)


def test_a_limit_commits_what_was_read_and_no_more(two_topics: list[Any], where: Connections, group: str) -> None:
    topic = two_topics[0]

    first = read_all([topic], where, group, limit=120)[topic.name]
    rest = read_all([topic], where, group)[topic.name]

    assert first.equals(topic.committed.slice(0, 120))
    assert rest.equals(topic.committed.slice(120))


def test_an_unknown_topic_is_named(two_topics: list[Any], where: Connections, group: str) -> None:
    with pytest.raises(NotFound, match="stock-nope"):
        next(stoculus.subscribe(["stock-nope"], group=group, settings=where))


def test_a_record_that_cannot_be_read_is_named_and_not_committed(
    new_topic: Callable[[], Any], holed: Any, where: Connections, group: str
) -> None:
    topic = new_topic().write(holed.batches[0])
    producer = Producer({"bootstrap.servers": where.kafka_bootstrap, **admin.QUIET})
    producer.produce(topic.name, b"\0\0\0\0\0foreign", partition=0)
    assert producer.flush(30) == 0

    for _ in range(2):
        with pytest.raises(SchemaNotRegistered, match=f"Offset 101 of {topic.name}: .* no schema 0"):
            list(stoculus.subscribe([topic.name], group=group, until_end=True, settings=where))


def test_a_member_says_where_it_is(two_topics: list[Any], where: Connections, group: str) -> None:
    member = stoculus.subscribe([two_topics[0].name], group=group, until_end=True, settings=where)
    told = [member.status]
    next(member)
    told.append(member.status)
    list(member)
    told.append(member.status)
    other = stoculus.subscribe([two_topics[0].name], group=group, until_end=True, settings=where)
    other.close()

    assert [*told, other.status] == ["open", "reading", "done", "closed"]
