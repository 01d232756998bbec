"""What holds for every container of the suite, as the compose files have it."""

import re
import shutil
import subprocess
from typing import Any, Final

import pytest
import yaml

from stoculus.settings import PREFIX, all_settings
from tests.conftest import CHECKOUT

MAIN: Final = "docker-compose.yml"
PROFILES: Final = ("default", "demo", "kafka", "observe")
OVERLAYS: Final = tuple(sorted(f"docker/{path.name}" for path in (CHECKOUT / "docker").glob("compose.*.yml")))
ONE_SHOT: Final = "schemas"
VARIABLE: Final = re.compile(rf"{PREFIX}[A-Z0-9_]+")


Loader: Any = type("Loader", (yaml.SafeLoader,), {})
"""YAML with the tags of compose."""
Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))
Loader.add_constructor("!reset", lambda loader, node: None)


def parsed(name: str) -> dict[str, Any]:
    return dict(yaml.load((CHECKOUT / name).read_text(), Loader))  # noqa: S506 - a SafeLoader


SERVICES: Final[dict[str, dict[str, Any]]] = parsed(MAIN)["services"]
OURS: Final = sorted(name for name, service in SERVICES.items() if service["image"].startswith("stoculus-"))


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_confined(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert [each.split(":")[0] for each in service["tmpfs"]] == ["/tmp"]
    assert service["restart"] == ("on-failure" if name == ONE_SHOT else "unless-stopped")
    assert name == ONE_SHOT or service["healthcheck"]["test"][:2] == ["CMD", "ready"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_limited(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"] <= 512
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert "privileged" not in service


@pytest.mark.parametrize("name", [MAIN, *OVERLAYS])
def test_what_is_published_is_published_on_loopback(name: str) -> None:
    ports = {service: found["ports"] for service, found in parsed(name)["services"].items() if "ports" in found}

    assert {service for service, found in ports.items() for port in found if not port.startswith("127.0.0.1:")} == set()
    if name == MAIN:
        assert set(ports) == {"coordinator", "redpanda-console", "grafana"}


@pytest.mark.parametrize("name", [MAIN, *OVERLAYS, ".env", "docker/haproxy/theta.cfg", "docker/haproxy/theta-proxy"])
def test_every_setting_is_one_that_a_program_knows(name: str) -> None:
    known = {variable for settings in all_settings() for variable in settings.variables()}

    assert set(VARIABLE.findall((CHECKOUT / name).read_text())) - known == set()


def test_foreign_images_are_pinned() -> None:
    images = {service["image"] for service in SERVICES.values() if not service["image"].startswith("stoculus-")}

    assert all(re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+", image) for image in images)


def test_each_service_belongs_to_a_profile_or_to_all() -> None:
    assert {profile for service in SERVICES.values() for profile in service.get("profiles", ())} == set(PROFILES)


def test_files_that_are_mounted_are_there() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())]

    assert [mount for mount in mounts if mount.startswith("./") and not (CHECKOUT / mount).exists()] == []


def compose(*words: str) -> str:
    """What `docker compose` prints of the files; no engine is needed."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("docker compose is not here")
    command = ["docker", "compose", "--project-directory", str(CHECKOUT), *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_takes_every_profile_with_every_overlay(profile: str, overlay: str | None) -> None:
    files = [MAIN, overlay] if overlay else [MAIN]

    services = compose(*(word for file in files for word in ("-f", file)), "--profile", profile, "config", "--services")

    wanted = {name for name, service in SERVICES.items() if profile in service.get("profiles", [profile])}
    if overlay == "docker/compose.embedded.yml":
        wanted -= {"theta-terminal", "theta-proxy"}
    assert set(services.split()) == wanted


def test_the_default_profile_is_what_a_plain_up_starts() -> None:
    assert {"redpanda", "theta-terminal", "coordinator"} <= set(compose("config", "--services").split())


def test_images_hold_no_file_that_the_build_does_not_name() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()

    assert "*" in ignored
    assert not any(
        name in line for line in ignored if line.startswith("!") for name in ("secrets", ".env", ".git", "tests")
    )
