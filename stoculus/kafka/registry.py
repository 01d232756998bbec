"""The schema registry: register the record types, look their ids up.

Subjects are full record names (RecordNameStrategy), compatibility is FULL_TRANSITIVE. Programs never register a schema
by themselves: `stoculus schemas register` does.
"""

from typing import Final

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stoculus.errors import RegistryUnavailable, SchemaNotRegistered
from stoculus.records.catalog import RecordType, record_types

COMPATIBILITY: Final = "FULL_TRANSITIVE"


def connect(url: str) -> SchemaRegistryClient:
    """A client of the registry at a URL such as `http://127.0.0.1:8081/apis/ccompat/v7`."""
    return SchemaRegistryClient({"url": url, "timeout": 5, "max.retries": 1})


def register_all(url: str) -> dict[str, int]:
    """Register every record type; return the ids by subject. Doing it again changes nothing.

    Raise SchemaNotRegistered for a change that the registry refuses, RegistryUnavailable where it does not answer.
    """
    with connect(url) as client:
        return {record.subject: _register(client, record, url) for record in record_types()}


def _register(client: SchemaRegistryClient, record: RecordType, url: str) -> int:
    try:
        client.set_compatibility(record.subject, COMPATIBILITY)
        return int(client.register_schema(record.subject, Schema(record.avro, "AVRO")))
    except SchemaRegistryError as error:
        if error.http_status_code >= 500:
            raise _unavailable(url, error) from error
        raise SchemaNotRegistered(
            f"The registry refuses {record.subject}: {error.error_message}",
            remedy="Change the schema so that old and new readers both understand it (new fields need defaults).",
        ) from error
    except httpx2.HTTPError as error:
        raise _unavailable(url, error) from error


def lookup_id(client: SchemaRegistryClient, record: RecordType, url: str) -> int:
    """The id of exactly this schema; raise SchemaNotRegistered where the registry has another or none."""
    try:
        found = client.lookup_schema(record.subject, Schema(record.avro, "AVRO"))
    except SchemaRegistryError as error:
        if error.http_status_code != 404:
            raise _unavailable(url, error) from error
        raise SchemaNotRegistered(
            f"The registry at {url} has no {record.subject} as this version of Stoculus writes it.",
            remedy="Run `stoculus schemas register`.",
        ) from error
    except httpx2.HTTPError as error:
        raise _unavailable(url, error) from error
    if found.schema_id is None:
        raise RegistryUnavailable(f"The registry at {url} answered without an id for {record.subject}.")
    return found.schema_id


def _unavailable(url: str, error: Exception) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"The schema registry at {url} does not answer: {error}", remedy="Start it; work goes on by itself."
    )
