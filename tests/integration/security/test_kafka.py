"""Who is not let in, or may not do what it tries, is told at once, with what to set."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import SecretStr

import stoculus
from coordinator.broker import Broker
from services.kit.writer import TransactionalWriter
from services.live_stream.broker.lease import Lease
from stoculus.connections import Kafka
from stoculus.doctor.broker import probe_broker
from stoculus.errors import BrokerRefused, BrokerUnavailable
from stoculus.kafka import admin
from stoculus.kafka.checkpoints import read_checkpoint
from stoculus.kafka.compacted import CompactedLog
from stoculus.kafka.ends import topic_ends
from stoculus.kafka.reachable import reachable_kafka
from stoculus.reading.partition import PartitionReader
from stoculus.settings import Connections
from stoculus.topics import BACKTESTS
from tests.integration.coordinator.stack import until
from tests.integration.security.broker import SecureBroker, make_users

SOON_S: Final = 12
TOPIC: Final = "stock-aapl-trade-historical-rights"

Wrong = Callable[[Kafka, SecureBroker], Kafka]


def wrong_password(kafka: Kafka, _: SecureBroker) -> Kafka:
    return replace(kafka, password=SecretStr("canary"))


def unknown_user(kafka: Kafka, _: SecureBroker) -> Kafka:
    return replace(kafka, username="canary")


def other_mechanism(kafka: Kafka, _: SecureBroker) -> Kafka:
    return replace(kafka, mechanism="PLAIN")


def other_authority(kafka: Kafka, broker: SecureBroker) -> Kafka:
    return replace(kafka, ca_file=broker.certificates.other_ca)


def other_name(kafka: Kafka, _: SecureBroker) -> Kafka:
    return replace(kafka, bootstrap=kafka.bootstrap.replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        (wrong_password, "STOCULUS_KAFKA_SASL_USERNAME"),
        (unknown_user, "STOCULUS_KAFKA_SASL_USERNAME"),
        (other_mechanism, "STOCULUS_KAFKA_SASL_USERNAME"),
        (other_authority, "STOCULUS_KAFKA_CA_FILE"),
        (other_name, "STOCULUS_KAFKA_CA_FILE"),
    ],
)
@pytest.mark.parametrize(
    "first_work", [reachable_kafka, lambda kafka: admin.create_control_topics(admin.connect(kafka))]
)
def test_who_is_not_let_in_is_told_at_once(
    secure: SecureBroker, wrong: Wrong, variable: str, first_work: Callable[[Kafka], Any]
) -> None:
    kafka = wrong(secure.kafka_as("services"), secure)
    start_s = time.monotonic()

    with pytest.raises(BrokerRefused) as caught:
        first_work(kafka)

    assert time.monotonic() - start_s < SOON_S
    assert variable in caught.value.remedy
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r} {kafka!r}".replace("username='canary'", "")


def test_the_doctor_tells_it_too(secure: SecureBroker) -> None:
    with pytest.raises(BrokerRefused, match="logging in"):
        list(probe_broker(wrong_password(secure.kafka, secure), 100))


def test_a_plain_client_gets_no_answer(secure: SecureBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "REQUEST_TIMEOUT_S", 2)

    with pytest.raises(BrokerUnavailable):
        admin.partition_counts(admin.connect(Kafka(secure.bootstrap)))


def test_a_login_is_taken_once_the_broker_knows_it(secure: SecureBroker) -> None:
    client = admin.connect(secure.kafka_as("late"))
    with pytest.raises(BrokerRefused):
        admin.check(client)

    make_users(admin.connect(secure.kafka), "late")

    def is_let_in() -> bool:
        with suppress(BrokerRefused):
            admin.check(client)
            return True
        return False

    until(is_let_in, "the new login is taken")


@pytest.fixture(scope="module")
def topic(secure: SecureBroker) -> str:
    admin.create_topics(admin.connect(secure.kafka), [TOPIC], admin.DATA_CONFIG)
    return TOPIC


def make_a_topic(kafka: Kafka) -> None:
    admin.create_topics(admin.connect(kafka), ["stock-never"], {})


def delete_a_topic(kafka: Kafka) -> None:
    admin.delete_topics(admin.connect(kafka), [TOPIC])


def write_in_a_transaction(kafka: Kafka) -> None:
    with TransactionalWriter(kafka, TOPIC) as writer:
        writer.open()


def write_a_manifest(kafka: Kafka) -> None:
    Broker(kafka).write_manifests({"rights": b"{}"})


def read_a_topic(kafka: Kafka) -> None:
    with PartitionReader(kafka, TOPIC) as reader:
        list(reader.read(reader.first))


def read_its_ends(kafka: Kafka) -> None:
    topic_ends(kafka, TOPIC)


def read_a_compacted_topic(kafka: Kafka) -> None:
    CompactedLog(kafka, BACKTESTS).close()


def read_a_task(kafka: Kafka) -> None:
    read_checkpoint(kafka, TOPIC)


def ask_for_the_lease(kafka: Kafka) -> None:
    with Lease(kafka) as lease:
        while not lease.held:
            lease.poll(0.1)


def join_a_group(kafka: Kafka) -> None:
    where = Connections(
        kafka_bootstrap=kafka.bootstrap,
        kafka_security_protocol=kafka.protocol,
        kafka_sasl_username=kafka.username,
        kafka_sasl_password=kafka.password,
        kafka_ca_file=kafka.ca_file,
    )
    list(stoculus.subscribe([TOPIC], group="others", until_end=True, settings=where))


NOBODY: Final = [
    make_a_topic,
    delete_a_topic,
    write_in_a_transaction,
    read_a_topic,
    read_its_ends,
    read_a_compacted_topic,
    read_a_task,
    ask_for_the_lease,
    join_a_group,
]
READER: Final = [
    make_a_topic,
    delete_a_topic,
    write_a_manifest,
    write_in_a_transaction,
    ask_for_the_lease,
    join_a_group,
]


@pytest.mark.parametrize(
    ("user", "deed"), [*(("nobody", deed) for deed in NOBODY), *(("research", deed) for deed in READER)]
)
def test_who_has_no_right_is_told_at_once(
    secure: SecureBroker, topic: str, user: str, deed: Callable[[Kafka], None]
) -> None:
    start_s = time.monotonic()

    with pytest.raises(BrokerRefused) as caught:
        deed(secure.kafka_as(user))

    assert time.monotonic() - start_s < SOON_S
    assert "docs/security.md" in caught.value.remedy
    assert topic in admin.partition_counts(admin.connect(secure.kafka))
