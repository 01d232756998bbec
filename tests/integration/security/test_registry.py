"""A registry over TLS that wants a login."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from stoculus.connections import Registry
from stoculus.doctor.registry import probe_registry
from stoculus.errors import RegistryRefused
from stoculus.kafka.registry import connect, lookup_id, register_all
from stoculus.reading.decoding import Decoder
from stoculus.records import framing
from stoculus.records.catalog import record_type
from tests.integration.security.broker import PASSWORD
from tests.integration.security.certificates import Certificates
from tests.integration.security.registry import READER, WRITER

TRADE = record_type("StockTrade")


def known(guard: str, certificates: Certificates, user: str) -> Registry:
    return Registry(guard, user, SecretStr(PASSWORD.format(user=user)), certificates.ca)


def test_who_may_write_registers(guard: str, certificates: Certificates) -> None:
    ids = register_all(known(guard, certificates, WRITER))

    assert TRADE.subject in ids


def test_who_may_read_looks_up(guard: str, certificates: Certificates) -> None:
    reader = known(guard, certificates, READER)
    with connect(reader) as client:
        header = framing.header(lookup_id(client, TRADE, guard))

    assert Decoder(reader).record_type(header) is TRADE
    assert [line.level for line in probe_registry(reader)] == ["ok"] * 3


def test_who_may_only_read_does_not_register(guard: str, certificates: Certificates) -> None:
    with pytest.raises(RegistryRefused, match="403") as caught:
        register_all(known(guard, certificates, READER))

    assert "docs/security.md" in caught.value.remedy


def test_who_is_not_known_is_refused(guard: str, certificates: Certificates) -> None:
    reader = known(guard, certificates, READER)
    wrong = [replace(reader, password=SecretStr("canary")), replace(reader, username="", password=None)]
    for registry in wrong:
        with connect(registry) as client, pytest.raises(RegistryRefused, match="401") as caught:
            lookup_id(client, TRADE, registry.url)
        assert "STOCULUS_REGISTRY_USERNAME" in caught.value.remedy
        with pytest.raises(RegistryRefused):
            Decoder(registry).record_type(framing.header(1))
        with pytest.raises(RegistryRefused):
            list(probe_registry(registry))
        assert "canary" not in f"{caught.value} {registry!r}"


def test_a_registry_that_nobody_vouches_for_is_refused(guard: str, certificates: Certificates) -> None:
    reader = known(guard, certificates, READER)
    wrong = [
        replace(reader, ca_file=certificates.other_ca),
        replace(reader, ca_file=None),
        replace(reader, url=guard.replace("127.0.0.1", "localhost")),
    ]
    for registry in wrong:
        with connect(registry) as client, pytest.raises(RegistryRefused, match="is not trusted") as caught:
            lookup_id(client, TRADE, registry.url)
        assert "STOCULUS_REGISTRY_CA_FILE" in caught.value.remedy
