"""Framed values back to Arrow, each by the schema it was written with."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import httpx2
import pyarrow as pa
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro.schema import to_parsing_canonical_form

from stoculus.connections import Registry
from stoculus.errors import SchemaNotRegistered
from stoculus.kafka import registry
from stoculus.kafka.consume import Values
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType, record_types

_REMEDY: Final = "Read topics of Stoculus with the registry that their writer used (STOCULUS_REGISTRY_URL)."


@dataclass(frozen=True, slots=True)
class _Writer:
    """What a schema id stands for. `avro` is None where bodies are laid out as the record type's own."""

    record: RecordType
    avro: dict[str, Any] | None


class Decoder:
    """Decodes values of any record type. Each schema id is looked up in the registry once.

    Values of another version of a record type are resolved by the rules of Avro to the one of this program.
    """

    def __init__(self, where: Registry) -> None:
        self._where = where
        self._writers: dict[bytes, _Writer] = {}

    def record_type(self, value: bytes) -> RecordType:
        """The record type of a framed value; raise SchemaNotRegistered where it is none of Stoculus."""
        return self._writer(value[: framing.HEADER_BYTES]).record

    def decode(self, values: Sequence[bytes | None], record: RecordType | None = None) -> pa.RecordBatch:
        """Decode framed values of one record type, the given one or that of the first value.

        Raise SchemaNotRegistered for values of another type, of unknown schemas, or that are no Avro.
        """
        return self._decode(*framing.cut([value or b"" for value in values]), record)

    def decode_values(self, values: Values, record: RecordType | None = None, *, topic: str = "") -> pa.RecordBatch:
        """The same of values as they were consumed; with a topic errors tell it and the offset of the first fault."""
        try:
            return self._decode(values.headers, values.bodies, record)
        except SchemaNotRegistered as error:
            if not topic:
                raise
            row, cause = self._first_fault(values, record, error)
            message = f"Offset {values.offsets[row]} of {topic}: {cause.message}"
            raise SchemaNotRegistered(message, remedy=error.remedy) from error

    def _first_fault(
        self, values: Values, record: RecordType | None, error: SchemaNotRegistered
    ) -> tuple[int, SchemaNotRegistered]:
        """The first row that is no record of the type (without one: of the first row's), and why."""
        headers = [header for header, count in values.headers for _ in range(count)]
        for row, header in enumerate(headers):
            try:
                self._decode([(header, 1)], [values.bodies[row]], record)
            except SchemaNotRegistered as cause:
                return row, cause
            record = record or self._writer(header).record
        return 0, error

    def _decode(
        self, headers: Sequence[tuple[bytes, int]], bodies: list[bytes], record: RecordType | None
    ) -> pa.RecordBatch:
        writers = {header: self._writer(header) for header, _ in headers}
        record = record or writers[headers[0][0]].record
        if others := {writer.record.name for writer in writers.values()} - {record.name}:
            raise SchemaNotRegistered(f"Records of {others.pop()} stand where {record.name} is read.", remedy=_REMEDY)
        try:
            if all(writer.avro is None for writer in writers.values()):
                return codec.decode(bodies, record)
            schemas = [writers[header].avro for header, count in headers for _ in range(count)]
            return _resolve(schemas, bodies, record)
        except (ValueError, EOFError) as error:
            raise SchemaNotRegistered(f"A value is no {record.name} in Avro: {error}.", remedy=_REMEDY) from error

    def _writer(self, header: bytes) -> _Writer:
        if header not in self._writers:
            self._writers[header] = self._look_up(header)
        return self._writers[header]

    def _look_up(self, header: bytes) -> _Writer:
        try:
            schema_id = framing.schema_id(header)
            with registry.connect(self._where) as client:
                found = client.get_schema(schema_id)
        except ValueError as error:
            raise SchemaNotRegistered(f"A value is not in the registry's format: {error}.", remedy=_REMEDY) from error
        except SchemaRegistryError as error:
            if error.http_status_code != httpx2.codes.NOT_FOUND:
                raise registry.registry_error(self._where.url, error) from error
            raise SchemaNotRegistered(
                f"The registry at {self._where.url} has no schema {schema_id}.", remedy=_REMEDY
            ) from error
        except httpx2.HTTPError as error:
            raise registry.registry_error(self._where.url, error) from error
        avro = json.loads(found.schema_str or "null")
        for record in record_types():
            if isinstance(avro, dict) and record.subject == f"{avro.get('namespace')}.{avro.get('name')}":
                same = to_parsing_canonical_form(avro) == to_parsing_canonical_form(json.loads(record.avro))
                return _Writer(record, None if same else avro)
        raise SchemaNotRegistered(f"Schema {schema_id} of the registry is no record type of Stoculus.", remedy=_REMEDY)


def _resolve(schemas: Sequence[dict[str, Any] | None], bodies: list[bytes], record: RecordType) -> pa.RecordBatch:
    own = json.loads(record.avro)
    rows: list[Any] = [
        fastavro.schemaless_reader(io.BytesIO(body), schema or own, own)
        for schema, body in zip(schemas, bodies, strict=True)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=record.arrow)
