from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from stoculus import topics
from stoculus.errors import BrokerRefused, BrokerUnavailable
from stoculus.kafka import admin as module
from stoculus.kafka.admin import (
    CONTROL_TOPICS,
    DATA_CONFIG,
    broker_error,
    create_control_topics,
    create_topics,
    delete_topics,
    partition_counts,
)
from tests.conftest import free_ports
from tests.integration.kafka.conftest import eventually


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex}"


def settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    eventually(lambda: topic in partition_counts(admin))
    [future] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    return {setting.name: setting.value for setting in future.result(10).values()}


def test_creating_twice_is_as_good_as_once(admin: AdminClient, name: str) -> None:
    create_topics(admin, [name], DATA_CONFIG)
    create_topics(admin, [name, f"{name}-other"], {"retention.ms": "1000"}, partitions=3)

    eventually(lambda: f"{name}-other" in partition_counts(admin))
    counts = partition_counts(admin)
    assert (counts[name], counts[f"{name}-other"]) == (1, 3)
    assert settings_of(admin, name)["retention.ms"] == "-1"


def test_history_is_never_deleted_and_its_segments_never_rolled_by_time(admin: AdminClient, name: str) -> None:
    create_topics(admin, [name], DATA_CONFIG)

    settings = settings_of(admin, name)
    assert (settings["retention.ms"], settings["segment.ms"]) == ("-1", "9223372036854775807")


def test_deleting_what_is_gone_is_fine(admin: AdminClient, name: str) -> None:
    create_topics(admin, [name], {})
    delete_topics(admin, [name, f"{name}-never-was"])
    delete_topics(admin, [name])

    eventually(lambda: name not in partition_counts(admin))


def test_no_topics_are_no_request(admin: AdminClient) -> None:
    create_topics(admin, [], {})
    delete_topics(admin, [])


def test_control_topics_are_made_as_they_are_wanted_and_may_be_created_again(admin: AdminClient) -> None:
    create_control_topics(admin)

    counts = partition_counts(admin)
    for name, (partitions, wanted) in CONTROL_TOPICS.items():
        assert counts[name] == partitions
        assert settings_of(admin, name).items() >= wanted.items()
        assert ("cleanup.policy" in wanted) == (name != topics.STREAM_EVENTS)
    assert counts[topics.CHECKPOINTS] == 8


def test_a_setting_that_the_broker_refuses_is_told(admin: AdminClient, name: str) -> None:
    with pytest.raises(BrokerRefused, match=name) as caught:
        create_topics(admin, [name], {"retention.ms": "soon"})

    assert caught.value.remedy


def test_a_broker_that_is_away_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_TIMEOUT_S", 1)
    away = AdminClient({"bootstrap.servers": f"127.0.0.1:{free_ports(1)[0]}", "log_level": 0})
    with pytest.raises(BrokerUnavailable, match="listing"):
        partition_counts(away)
    with pytest.raises(BrokerUnavailable, match=r"creating|changing"):
        create_topics(away, [name], {})
    with pytest.raises(BrokerUnavailable, match=r"deleting|changing"):
        delete_topics(away, [name])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, BrokerRefused),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, BrokerRefused),
        (KafkaError.MSG_SIZE_TOO_LARGE, BrokerRefused),
        (KafkaError.POLICY_VIOLATION, BrokerRefused),
        (KafkaError._TRANSPORT, BrokerUnavailable),
        (KafkaError.NOT_LEADER_FOR_PARTITION, BrokerUnavailable),
        (KafkaError._TIMED_OUT, BrokerUnavailable),
        (KafkaError._PURGE_QUEUE, BrokerUnavailable),
    ],
)
def test_errors_of_the_broker_are_for_good_or_for_now(code: int, error: type[Exception]) -> None:
    assert type(broker_error(KafkaException(KafkaError(code)), "testing")) is error
