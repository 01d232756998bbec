import io
import json
from collections.abc import Callable
from typing import Any, Protocol

import fastavro
import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import Schema

from stoculus import connections
from stoculus.errors import RegistryUnavailable, SchemaNotRegistered
from stoculus.kafka.registry import connect, lookup_id
from stoculus.reading.decoding import Decoder
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType, record_type, record_types
from tests.integration.reading.conftest import OPEN_US, chain_rows

QUOTE = record_type("StockQuote")


class Registry(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


@pytest.fixture
def framed(holed: Any, quote_header: bytes) -> list[bytes]:
    return [quote_header + (body or b"") for body in codec.encode(holed.batches[0], QUOTE).to_pylist()]


def registered(registry: Registry, avro: dict[str, Any]) -> bytes:
    subject = f"{avro.get('namespace')}.{avro['name']}"
    with connect(registry.connection) as client:
        return framing.header(client.register_schema(subject, Schema(json.dumps(avro), "AVRO")))


def test_values_tell_their_record_type(decoder: Decoder, framed: list[bytes], holed: Any) -> None:
    assert decoder.record_type(framed[0]) is QUOTE
    assert decoder.decode(framed).equals(holed.batches[0])
    assert decoder.decode(framed, QUOTE).equals(holed.batches[0])


def test_no_values_are_an_empty_batch_of_the_type(decoder: Decoder) -> None:
    assert decoder.decode([], QUOTE).schema == QUOTE.arrow


def test_a_newer_writer_is_understood_by_the_rules_of_avro(
    registry: Registry, decoder: Decoder, framed: list[bytes], holed: Any
) -> None:
    newer = json.loads(QUOTE.avro)
    newer["fields"].insert(1, {"name": "venue", "type": "string", "default": ""})
    header = registered(registry, newer)
    schema = fastavro.parse_schema(newer)
    values = []
    for row in holed.batches[1].to_pylist():
        sink = io.BytesIO()
        fastavro.schemaless_writer(sink, schema, row | {"venue": "Q"})
        values.append(header + sink.getvalue())

    both = decoder.decode([framed[0], *values])

    assert both.to_pylist() == holed.batches[0].slice(0, 1).to_pylist() + holed.batches[1].to_pylist()
    assert both.schema == QUOTE.arrow


def test_a_writer_that_differs_in_docs_alone_is_decoded_as_our_own(
    registry: Registry, decoder: Decoder, framed: list[bytes], holed: Any
) -> None:
    header = registered(registry, json.loads(QUOTE.avro) | {"doc": "Said in other words."})

    batch = decoder.decode([header + framing.body(value) for value in framed])

    assert batch.equals(holed.batches[0])


@pytest.mark.parametrize(
    "record", [each for each in record_types() if "Option" in each.name], ids=lambda each: each.name
)
def test_dates_rights_and_nulls_come_back_from_our_own_and_from_a_newer_writer(
    registry: Registry, decoder: Decoder, header_of: Callable[[RecordType], bytes], record: RecordType
) -> None:
    batch = chain_rows(record, [OPEN_US, OPEN_US + 1000])
    bodies = [body or b"" for body in codec.encode(batch, record).to_pylist()]
    newer = json.loads(record.avro)
    newer["fields"].append({"name": "venue", "type": ["null", "string"], "default": None})
    own, others = header_of(record), registered(registry, newer)

    assert decoder.decode([own + body for body in bodies]).equals(batch)
    assert decoder.decode([others + body + b"\0" for body in bodies]).equals(batch)


def test_another_record_type_is_refused(registry: Registry, decoder: Decoder, framed: list[bytes]) -> None:
    trade = record_type("StockTrade")
    with connect(registry.connection) as client:
        header = framing.header(lookup_id(client, trade, registry.url))

    with pytest.raises(SchemaNotRegistered, match="StockTrade stand where StockQuote is read"):
        decoder.decode([*framed, header + b"x"])
    with pytest.raises(SchemaNotRegistered, match="StockQuote stand where StockTrade is read"):
        decoder.decode(framed, trade)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "not in the registry's format"),
        (b"{}", "not in the registry's format"),
        (b"a,b,c,d,e", "not in the registry's format"),
        (framing.header(987_654), "no schema 987654"),
    ],
)
def test_foreign_values_are_refused(decoder: Decoder, value: bytes | None, told: str) -> None:
    with pytest.raises(SchemaNotRegistered, match=told):
        decoder.decode([value])


def test_a_schema_that_is_no_record_type_is_refused(registry: Registry, decoder: Decoder) -> None:
    header = registered(registry, {"type": "record", "name": "Stranger", "fields": []})

    with pytest.raises(SchemaNotRegistered, match="no record type of Stoculus"):
        decoder.decode([header])


def test_a_cut_body_is_refused(decoder: Decoder, framed: list[bytes]) -> None:
    with pytest.raises(SchemaNotRegistered, match="no StockQuote in Avro"):
        decoder.decode([framed[0][:-3]])


def test_a_registry_that_is_away_is_named(framed: list[bytes]) -> None:
    with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:1"):
        Decoder(connections.Registry("http://127.0.0.1:1")).decode(framed)


def test_every_id_is_looked_up_once(
    registry: Registry, framed: list[bytes], monkeypatch: pytest.MonkeyPatch, new_topic: Callable[[], Any]
) -> None:
    decoder = Decoder(registry.connection)
    decoder.decode(framed)
    monkeypatch.setattr(decoder, "_where", connections.Registry("http://127.0.0.1:1"))

    assert pa.Table.from_batches([decoder.decode(framed)]).num_rows == len(framed)
