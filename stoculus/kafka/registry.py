"""The schema registry: register the record types, look their ids up.

Subjects are full record names (RecordNameStrategy), compatibility is FULL_TRANSITIVE. Programs never register a schema
by themselves: `stoculus schemas register` does.
"""

from typing import Final

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stoculus.connections import Registry
from stoculus.errors import RegistryRefused, RegistryUnavailable, SchemaNotRegistered
from stoculus.records.catalog import RecordType, record_types

COMPATIBILITY: Final = "FULL_TRANSITIVE"
_NO_ENTRY: Final[dict[int, str]] = {
    httpx2.codes.UNAUTHORIZED: "Set STOCULUS_REGISTRY_USERNAME and STOCULUS_REGISTRY_PASSWORD_FILE as it knows them.",
    httpx2.codes.FORBIDDEN: "Give this user the rights that docs/security.md lists.",
}


def connect(registry: Registry) -> SchemaRegistryClient:
    """A client; it connects at its first request."""
    return SchemaRegistryClient({**registry.config, "timeout": 5, "max.retries": 1})


def register_all(registry: Registry) -> dict[str, int]:
    """Register every record type; return the ids by subject. Doing it again changes nothing.

    Raise SchemaNotRegistered for a change that the registry refuses, RegistryUnavailable where it does not answer,
    RegistryRefused where it refuses the login.
    """
    with connect(registry) as client:
        return {record.subject: _register(client, record, registry.url) for record in record_types()}


def _register(client: SchemaRegistryClient, record: RecordType, url: str) -> int:
    try:
        client.set_compatibility(record.subject, COMPATIBILITY)
        return int(client.register_schema(record.subject, Schema(record.avro, "AVRO")))
    except SchemaRegistryError as error:
        if error.http_status_code >= 500 or error.http_status_code in _NO_ENTRY:
            raise registry_error(url, error) from error
        raise SchemaNotRegistered(
            f"The registry refuses {record.subject}: {error.error_message}",
            remedy="Change the schema so that old and new readers both understand it (new fields need defaults).",
        ) from error
    except httpx2.HTTPError as error:
        raise registry_error(url, error) from error


def lookup_id(client: SchemaRegistryClient, record: RecordType, url: str) -> int:
    """The id of exactly this schema; raise SchemaNotRegistered where the registry has another or none."""
    try:
        found = client.lookup_schema(record.subject, Schema(record.avro, "AVRO"))
    except SchemaRegistryError as error:
        if error.http_status_code != 404:
            raise registry_error(url, error) from error
        raise SchemaNotRegistered(
            f"The registry at {url} has no {record.subject} as this version of Stoculus writes it.",
            remedy="Run `stoculus schemas register`.",
        ) from error
    except httpx2.HTTPError as error:
        raise registry_error(url, error) from error
    if found.schema_id is None:
        raise RegistryUnavailable(f"The registry at {url} answered without an id for {record.subject}.")
    return found.schema_id


def registry_error(url: str, error: Exception) -> RegistryRefused | RegistryUnavailable:
    """The error of the suite's tree where a registry gave no answer, or none that can be used."""
    if isinstance(error, SchemaRegistryError) and error.http_status_code in _NO_ENTRY:
        return RegistryRefused(
            f"The schema registry at {url} refuses this user: {error.http_status_code}.",
            remedy=_NO_ENTRY[error.http_status_code],
        )
    if isinstance(error, httpx2.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RegistryRefused(
            f"The schema registry at {url} is not trusted: {error}.",
            remedy="Set STOCULUS_REGISTRY_CA_FILE to who signed its certificate, and call it as that does.",
        )
    return RegistryUnavailable(
        f"The schema registry at {url} does not answer: {error}", remedy="Start it; work goes on by itself."
    )
