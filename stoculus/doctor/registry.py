"""The registry: whether it answers, and has every record type as this version writes it."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stoculus.connections import Registry
from stoculus.doctor.probe import ANSWER_S, Line
from stoculus.errors import RegistryRefused, RegistryUnavailable, SchemaNotRegistered
from stoculus.kafka.registry import COMPATIBILITY, lookup_id, registry_error
from stoculus.records.catalog import RecordType, record_types

_PART: Final = "registry"


def probe_registry(registry: Registry) -> Iterator[Line]:
    """Raise RegistryUnavailable where it does not answer, RegistryRefused where it does not let us in."""
    url = registry.url
    try:
        client = SchemaRegistryClient({**registry.config, "timeout": ANSWER_S, "max.retries": 0})
    except ValueError as error:
        raise _away(f"{url} does not answer: {error}") from error
    with client:
        _check_answer(client, url)
        yield Line("ok", _PART, f"{url} answers")
        yield _registered(client, url)
        yield _compatible(client)


def _check_answer(client: SchemaRegistryClient, url: str) -> None:
    try:
        subjects: Any = client.get_subjects()
        if isinstance(subjects, list):
            return
        found = f"what answers at {url} is no registry"
    except (SchemaRegistryError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        if isinstance(refused := registry_error(url, error), RegistryRefused):
            raise refused from error
        if isinstance(error, SchemaRegistryError):
            found = f"what answers at {url} is no registry: {error.http_status_code} to GET /subjects"
        else:
            found = f"{url} does not answer: {error or type(error).__name__}"
    except ValueError:
        found = f"what answers at {url} is no registry: no JSON to GET /subjects"
    raise _away(found)


def _registered(client: SchemaRegistryClient, url: str) -> Line:
    missing = []
    for record in record_types():
        try:
            lookup_id(client, record, url)
        except SchemaNotRegistered:
            missing.append(record.name)
    if missing:
        found = f"{len(missing)} record types are not registered as this version writes them: {', '.join(missing)}"
        return Line("failed", _PART, found, "`stoculus schemas register`; `stoculus schemas check` shows differences.")
    return Line("ok", _PART, f"all {len(record_types())} record types are registered as this version writes them")


def _compatible(client: SchemaRegistryClient) -> Line:
    odd = [f"{record.name} {level}" for record in record_types() if (level := _level(client, record)) != COMPATIBILITY]
    if odd:
        found = f"compatibility is not {COMPATIBILITY}: {', '.join(odd)}"
        return Line("warning", _PART, found, "`stoculus schemas register` sets it: readers old and new rely on it.")
    return Line("ok", _PART, f"compatibility is {COMPATIBILITY}")


def _level(client: SchemaRegistryClient, record: RecordType) -> str:
    try:
        return str(client.get_compatibility(record.subject))
    except SchemaRegistryError as error:
        if error.http_status_code == httpx2.codes.NOT_FOUND:
            return "unset"
        raise _away(f"the registry refuses to tell the compatibility of {record.subject}: {error}") from error
    except httpx2.HTTPError as error:
        raise _away(f"the registry does not answer any more: {error}") from error


def _away(found: str) -> RegistryUnavailable:
    return RegistryUnavailable(found, remedy="Start it: `make local-up`. Or set STOCULUS_REGISTRY_URL.")
