"""The secure overlay, with broker and registry published for programs of this machine."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.compose.suite import Suite, run, until
from tests.conftest import CHECKOUT, free_ports

BODY: Final = {
    "start": "2024-01-02",
    "end": "2024-01-02",
    "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}],
}
SECRETS: Final = ("admin_key", "service_token", "kafka_password", "registry_password")


class Secure:
    """The suite, and what a client of this machine sets."""

    def __init__(self, folder: Path) -> None:
        [registry] = free_ports(1)
        self.folder = folder
        self.suite = Suite(
            "kafka",
            "docker/compose.secure.yml",
            "docker/compose.ports.yml",
            project="stoculus-test-secure",
            SECRETS=str(folder),
            BROKER_PORT="19092",
            REGISTRY_PORT=str(registry),
        )
        self.registry_url = f"https://127.0.0.1:{registry}"
        self.ca = folder / "ca.pem"

    def secret(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """Of the command line."""
        return {
            "STOCULUS_COORDINATOR_URL": self.suite.url,
            "STOCULUS_API_KEY_FILE": str(self.folder / "admin_key"),
            "STOCULUS_KAFKA_BOOTSTRAP": "127.0.0.1:19092",
            "STOCULUS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "STOCULUS_KAFKA_SASL_USERNAME": "stoculus",
            "STOCULUS_KAFKA_SASL_PASSWORD_FILE": str(self.folder / "kafka_password"),
            "STOCULUS_KAFKA_CA_FILE": str(self.ca),
            "STOCULUS_REGISTRY_URL": self.registry_url,
            "STOCULUS_REGISTRY_USERNAME": "stoculus",
            "STOCULUS_REGISTRY_PASSWORD_FILE": str(self.folder / "registry_password"),
            "STOCULUS_REGISTRY_CA_FILE": str(self.ca),
        }


@pytest.fixture(scope="module")
def secure(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    run("docker/secrets", str(folder))
    secure = Secure(folder)
    try:
        secure.suite.compose("up", "--build", "--wait")
        yield secure
    finally:
        secure.suite.down()
    assert secure.suite.leftovers() == []


def test_the_coordinator_wants_a_key(secure: Secure) -> None:
    assert secure.suite.api.get("/v1/backtests").status_code == 401
    assert secure.suite.api.get("/readyz").status_code == 200


def test_the_broker_wants_a_login_over_tls(secure: Secure) -> None:
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": "127.0.0.1:19092", "log_level": 0}).list_topics(timeout=3)


def test_the_registry_wants_a_login(secure: Secure) -> None:
    with httpx2.Client(verify=ssl.create_default_context(cafile=secure.ca), trust_env=False) as client:
        assert client.get(f"{secure.registry_url}/subjects").status_code == 401
        known = client.get(f"{secure.registry_url}/subjects", auth=("stoculus", secure.secret("registry_password")))
        assert client.get(f"{secure.registry_url}/apis/registry/v3/groups").status_code == 403

    assert "io.stoculus.StockTrade" in known.json()


def test_a_backtest_runs_and_is_read_on_this_machine(secure: Secure) -> None:
    key = {"Authorization": f"Bearer {secure.secret('admin_key')}"}
    assert secure.suite.api.post("/v1/backtests", json={"backtest_id": "1", **BODY}, headers=key).status_code == 202

    def state() -> str:
        return str(secure.suite.api.get("/v1/backtests/1", headers=key).json()["state"])

    until(lambda: state() in ("completed", "failed"), "it ends")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
    for command in (["verify", "1"], ["consume", "stock-aapl-trade-historical-1", "--limit", "3"]):
        done = subprocess.run(
            [str(CHECKOUT / ".venv/bin/stoculus"), *command],
            env=clean | secure.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_is_told(secure: Secure) -> None:
    ids = [container["Id"] for container in secure.suite.containers().values()]
    told = run("docker", "inspect", *ids).stdout + secure.suite.compose("logs")
    for service in ("coordinator", "historical-stock", "kafka", "registry"):
        look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
        told += secure.suite.exec(service, "sh", "-c", look)

    assert [name for name in SECRETS if secure.secret(name) in told] == []
