"""The registry of the local stack, as every test gets it."""

import json
from uuid import uuid4

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tests.conftest import Registry


def record(*fields: tuple[str, str]) -> Schema:
    described = [{"name": name, "type": kind} for name, kind in fields]
    return Schema(json.dumps({"type": "record", "name": "Probe", "fields": described}), "AVRO")


@pytest.mark.chaos
def test_ids_outlive_kill_9_right_after_they_were_given(registry: Registry) -> None:
    subject = f"probe-{uuid4().hex[:8]}"
    schema = record((f"f_{subject[6:]}", "long"))
    with SchemaRegistryClient({"url": registry.url}) as client:
        given = client.register_schema(subject, schema)
    registry.kill9()
    registry.start()
    with SchemaRegistryClient({"url": registry.url}) as client:
        found = client.get_schema(given).schema_str
        assert found is not None
        assert json.loads(found) == json.loads(str(schema.schema_str))
        assert client.lookup_schema(subject, schema).schema_id == given


def test_a_breaking_change_is_refused(registry: Registry) -> None:
    subject = f"probe-{uuid4().hex[:8]}"
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.set_compatibility(subject, "FULL_TRANSITIVE")
        client.register_schema(subject, record(("price", "double")))
        with pytest.raises(SchemaRegistryError) as caught:
            client.register_schema(subject, record(("size", "long")))
    assert caught.value.http_status_code == 409
