"""The schema registry as services and `stoculus schemas register` meet it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stoculus import connections
from stoculus.errors import RegistryUnavailable, SchemaNotRegistered
from stoculus.kafka import registry as module
from stoculus.kafka.registry import connect, lookup_id, register_all
from stoculus.records import released
from stoculus.records.catalog import RecordType, record_type, record_types
from tests.conftest import Registry, free_ports

AWAY = connections.Registry(f"http://127.0.0.1:{free_ports(1)[0]}/apis/ccompat/v7")
TRADE = record_type("StockTrade")


@pytest.fixture
def client(registry: Registry) -> Iterator[SchemaRegistryClient]:
    with connect(registry.connection) as made:
        yield made


def renamed(record: RecordType, name: str) -> RecordType:
    """The record type under a name of the test's own, so that the run's schemas stay as they are."""
    avro = json.loads(record.avro) | {"name": name}
    return replace(record, name=name, avro=json.dumps(avro))


def changed(record: RecordType, change: Any) -> RecordType:
    avro = json.loads(record.avro)
    change(avro["fields"])
    return replace(record, avro=json.dumps(avro))


def test_registering_again_gives_the_same_ids(registry: Registry) -> None:
    ids = register_all(registry.connection)

    assert register_all(registry.connection) == ids
    assert set(ids) == {record.subject for record in record_types()}
    assert len(set(ids.values())) == len(ids)


def test_the_id_of_a_schema_is_that_of_its_registration(registry: Registry, client: SchemaRegistryClient) -> None:
    ids = register_all(registry.connection)

    assert {record.subject: lookup_id(client, record, registry.url) for record in record_types()} == ids


def test_subjects_are_record_names_and_fully_compatible(client: SchemaRegistryClient) -> None:
    for record in record_types():
        assert record.subject in client.get_subjects()
        assert client.get_compatibility(record.subject) == "FULL_TRANSITIVE"


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop(),
        lambda fields: fields.append({"name": "news", "type": "int"}),
        lambda fields: fields[-1].update(type="string"),
        lambda fields: fields[-1].update(name="renamed"),
    ],
    ids=["a field goes", "a field without a default comes", "a type changes", "a name changes"],
)
def test_an_incompatible_change_is_refused(registry: Registry, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = renamed(TRADE, "TestRefused")
    register(registry, record, monkeypatch)

    with pytest.raises(SchemaNotRegistered, match="TestRefused") as caught:
        register(registry, changed(record, change), monkeypatch)

    assert isinstance(caught.value.__cause__, SchemaRegistryError)
    assert caught.value.__cause__.http_status_code == 409


def test_a_compatible_change_is_a_new_version(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    record = renamed(TRADE, "TestGrown")
    first = register(registry, record, monkeypatch)
    grown = changed(record, lambda fields: fields.append({"name": "news", "type": ["null", "int"], "default": None}))

    assert register(registry, grown, monkeypatch) != first


def register(registry: Registry, record: RecordType, monkeypatch: pytest.MonkeyPatch) -> int:
    """As `register_all`, with this record type as the whole catalog."""
    monkeypatch.setattr(module, "record_types", lambda: [record])
    [schema_id] = register_all(registry.connection).values()
    return schema_id


def test_each_released_version_understands_each_other(registry: Registry, client: SchemaRegistryClient) -> None:
    """Whatever stands in RELEASED.json may stand on topics and in readers: every pair must fit, both ways."""
    for name, versions in released.load().items():
        subject = f"io.stoculus.Test{name}History"
        client.set_compatibility(subject, "FULL_TRANSITIVE")
        for version in versions:
            avro = json.dumps(deepcopy(version["schema"]) | {"name": f"Test{name}History"})
            client.register_schema(subject, Schema(avro, "AVRO"))
        for older, newer in combinations(versions, 2):
            assert older["fingerprint"] != newer["fingerprint"]


def test_a_schema_that_nobody_registered_is_told_with_the_command_that_does(
    registry: Registry, client: SchemaRegistryClient
) -> None:
    with pytest.raises(SchemaNotRegistered, match="TestNever") as caught:
        lookup_id(client, renamed(TRADE, "TestNever"), registry.url)

    assert "stoculus schemas register" in caught.value.remedy


def test_another_version_than_the_registered_one_is_not_taken_for_it(
    registry: Registry, client: SchemaRegistryClient
) -> None:
    other = changed(TRADE, lambda fields: fields.append({"name": "news", "type": ["null", "int"], "default": None}))

    with pytest.raises(SchemaNotRegistered):
        lookup_id(client, other, registry.url)


def test_a_registry_that_is_down_may_come_back() -> None:
    with connect(AWAY) as client, pytest.raises(RegistryUnavailable, match="does not answer"):
        lookup_id(client, TRADE, AWAY.url)
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        register_all(AWAY)
