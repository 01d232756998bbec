"""A broker and a registry that let in whom they know, and a suite of real processes that log in there."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from local.java import Artifacts
from local.processes import Supervisor
from simulator.testing import running_simulator
from stoculus.kafka import admin
from stoculus.settings import ClientSettings
from tests.conftest import Registry, free_ports
from tests.integration.coordinator.stack import Process, Stack, running_stack
from tests.integration.security.broker import PASSWORD, USERS, SecureBroker, give_rights, make_users, secure_broker
from tests.integration.security.certificates import Certificates, make_certificates
from tests.integration.security.registry import READER, guarded

LIVE_DAY = "2024-01-03"


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="package")
def secure(
    java_artifacts: Artifacts, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureBroker]:
    var = tmp_path_factory.mktemp("secure")
    program = secure_broker(var, java_artifacts.kafka, dict(os.environ), free_ports(2), certificates)
    member = SecureBroker(Supervisor(var), program, certificates)
    try:
        member.start()
        client = admin.connect(member.kafka)
        make_users(client, *USERS)
        give_rights(client)
        admin.create_control_topics(client)
        yield member
    finally:
        member.supervisor.stop(program.name)


@pytest.fixture(scope="package")
def guard(registry: Registry, certificates: Certificates) -> Iterator[str]:
    """The URL of what guards the run's registry."""
    with guarded(registry.url, certificates) as url:
        yield url


@pytest.fixture(scope="package")
def research(secure: SecureBroker, guard: str, certificates: Certificates) -> dict[str, str]:
    """The settings of a reader, and of nothing more."""
    return secure.environment("research") | at_registry(guard, certificates)


@pytest.fixture(scope="package")
def where(research: dict[str, str]) -> ClientSettings:
    return ClientSettings.load(research)


@pytest.fixture(scope="package")
def suite(
    secure: SecureBroker, guard: str, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Coordinator, historical-stock and live-stream. The services read their password from a file."""
    folder = tmp_path_factory.mktemp("suite")
    (file := folder / "password").write_text(PASSWORD.format(user="services") + "\n")
    [live_port] = free_ports(1)
    with (
        running_simulator(sim_live_date=LIVE_DAY, sim_live_speed=60) as theta_url,
        running_stack(
            secure, guard, theta_url, folder, STOCULUS_LIVE_STREAM_URL=f"http://127.0.0.1:{live_port}"
        ) as stack,
    ):
        login = secure.environment("services") | at_registry(guard, certificates)
        del login["STOCULUS_KAFKA_SASL_PASSWORD"]
        stack.service.environment |= login | {"STOCULUS_KAFKA_SASL_PASSWORD_FILE": str(file)}
        stack.coordinator.environment |= secure.environment("coordinator") | at_registry(guard, certificates)
        at_stream = {
            "STOCULUS_LIVE_STREAM_PORT": str(live_port),
            "STOCULUS_LIVE_DATE": LIVE_DAY,
            "STOCULUS_THETA_STREAM_URL": stream_url(theta_url),
        }
        live = Process("services.live_stream", stack.service.environment | at_stream, live_port, folder / "live.log")
        try:
            for process in (stack.service, live, stack.coordinator):
                process.start()
            yield stack
        finally:
            if live.running:
                live.kill9()


def at_registry(url: str, certificates: Certificates) -> dict[str, str]:
    return {
        "STOCULUS_REGISTRY_URL": url,
        "STOCULUS_REGISTRY_USERNAME": READER,
        "STOCULUS_REGISTRY_PASSWORD": PASSWORD.format(user=READER),
        "STOCULUS_REGISTRY_CA_FILE": str(certificates.ca),
    }


def stream_url(theta_url: str) -> str:
    return str(httpx2.get(f"{theta_url}/__stream", trust_env=False).json()["url"])


def logs_of(stack: Stack) -> list[Path]:
    return list(stack.service.log.parent.glob("*.log"))
