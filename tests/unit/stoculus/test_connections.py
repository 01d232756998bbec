from pathlib import Path

import certifi
import pytest
from pydantic import SecretStr

from stoculus.connections import Kafka, Registry
from stoculus.errors import SettingsInvalid
from stoculus.settings import Connections

CA = certifi.where()
LOGIN = {
    "STOCULUS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "STOCULUS_KAFKA_SASL_USERNAME": "me",
    "STOCULUS_KAFKA_SASL_PASSWORD": "canary",
}


def test_nothing_is_secured_by_default() -> None:
    settings = Connections.load({})

    assert settings.kafka == Kafka("127.0.0.1:9092")
    assert settings.kafka.is_plain
    assert settings.kafka.config == {"bootstrap.servers": "127.0.0.1:9092"}
    assert settings.registry.config == {"url": "http://127.0.0.1:8081/apis/ccompat/v7"}


def test_what_is_set_reaches_the_clients() -> None:
    at_registry = {
        "STOCULUS_REGISTRY_URL": "https://registry",
        "STOCULUS_REGISTRY_USERNAME": "you",
        "STOCULUS_REGISTRY_PASSWORD": "and:me",
        "STOCULUS_REGISTRY_CA_FILE": CA,
    }

    settings = Connections.load(LOGIN | {"STOCULUS_KAFKA_CA_FILE": CA} | at_registry)

    assert settings.kafka.config == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "canary",
        "ssl.ca.location": CA,
    }
    assert settings.registry.config == {
        "url": "https://registry",
        "basic.auth.user.info": "you:and:me",
        "ssl.ca.location": CA,
    }


def test_tls_without_a_login_has_none() -> None:
    settings = Connections.load({"STOCULUS_KAFKA_SECURITY_PROTOCOL": "SSL"})

    assert settings.kafka.config == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "SSL"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_SSL, and STOCULUS_KAFKA_SASL_USERNAME is not set"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "me"}, "STOCULUS_KAFKA_SASL_PASSWORD is not set"),
        ({"SASL_USERNAME": "me"}, "STOCULUS_KAFKA_SASL_USERNAME is set, and .* is PLAINTEXT"),
        ({"SECURITY_PROTOCOL": "SSL", "SASL_PASSWORD": "canary"}, "STOCULUS_KAFKA_SASL_PASSWORD is set, and .* is SSL"),
        ({"CA_FILE": CA}, "STOCULUS_KAFKA_CA_FILE is set, and .* without TLS"),
        ({"SECURITY_PROTOCOL": "SSL", "CA_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem, .*No such file"),
        ({"SECURITY_PROTOCOL": "SSL", "CA_FILE": __file__}, "it holds no certificate"),
        ({"SECURITY_PROTOCOL": "TLS"}, "STOCULUS_KAFKA_SECURITY_PROTOCOL is wrong"),
        ({"SASL_MECHANISM": "GSSAPI"}, "STOCULUS_KAFKA_SASL_MECHANISM is wrong"),
    ],
)
def test_what_does_not_go_together_at_the_broker_is_refused(variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told) as caught:
        Connections.load({f"STOCULUS_KAFKA_{name}": value for name, value in variables.items()})

    assert caught.value.remedy
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"URL": "https://me:canary@registry"}, "has a login in it"),
        ({"USERNAME": "me"}, "one alone is set"),
        ({"PASSWORD": "canary"}, "one alone is set"),
        ({"CA_FILE": CA}, "is without TLS"),
        ({"URL": "https://registry", "CA_FILE": str(Path(__file__).parent)}, "cannot be used"),
    ],
)
def test_what_does_not_go_together_at_the_registry_is_refused(variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told) as caught:
        Connections.load({f"STOCULUS_REGISTRY_{name}": value for name, value in variables.items()})

    assert caught.value.remedy
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__}"


def test_a_password_is_shown_nowhere() -> None:
    settings = Connections.load(LOGIN)
    registry = Registry("https://registry", "me", SecretStr("canary"))

    assert "canary" not in f"{settings} {settings!r} {settings.kafka} {registry} {settings.model_dump_json()}"
