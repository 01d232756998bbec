"""`stoculus local`, as far as nothing has to run for it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.stack import Stack
from stoculus.connections import Kafka
from stoculus.errors import SettingsInvalid
from stoculus.settings import CoordinatorSettings, LocalSettings
from tests.conftest import free_ports

PORTS = (
    *("KAFKA", "KAFKA_CONTROLLER", "REGISTRY", "SIM", "SIM_WS"),
    *("HISTORICAL_STOCK", "HISTORICAL_OPTION", "LIVE_STREAM", "COORDINATOR"),
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    return {"STOCULUS_VAR_DIR": str(tmp_path)} | {f"STOCULUS_{name}_PORT": port for name, port in ports.items()}


def test_the_status_of_a_stack_that_is_down_lists_all_programs_and_exits_1(environment: dict[str, str]) -> None:
    shown = CliRunner().invoke(app, ["status"], env=environment)
    assert shown.exit_code == 1
    for name, port in (
        ("broker", "KAFKA"),
        ("registry", "REGISTRY"),
        ("simulator", "SIM"),
        ("live-stream", "LIVE_STREAM"),
        ("coordinator", "COORDINATOR"),
    ):
        (line,) = (line for line in shown.stdout.splitlines() if name in line and "stopped" in line)
        assert environment[f"STOCULUS_{port}_PORT"] in line
    assert "historical-stock" in shown.stdout


def test_a_stack_with_another_vendor_has_no_simulator(environment: dict[str, str]) -> None:
    shown = CliRunner().invoke(app, ["status"], env=environment | {"STOCULUS_THETA_URL": "http://127.0.0.1:25503"})
    assert "live-stream" in shown.stdout
    assert "simulator" not in shown.stdout


def test_down_is_safe_where_nothing_runs(environment: dict[str, str]) -> None:
    assert CliRunner().invoke(app, ["down"], env=environment).exit_code == 0


def test_a_misspelt_setting_is_refused(environment: dict[str, str]) -> None:
    shown = CliRunner().invoke(app, ["status"], env=environment | {"STOCULUS_KAFKAPORT": "1"})
    assert isinstance(shown.exception, SettingsInvalid)


def test_the_help_names_the_ports() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    for name in PORTS:
        assert f"STOCULUS_{name}_PORT" in shown.stdout


def test_the_programs_of_a_stack_log_in_nowhere_else(tmp_path: Path) -> None:
    (secret := tmp_path / "secret").write_text(f"sqlite:///{tmp_path / 'other.sqlite'}")
    given = {
        "STOCULUS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "STOCULUS_KAFKA_SASL_USERNAME": "me",
        "STOCULUS_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "none"),
        "STOCULUS_REGISTRY_USERNAME": "me",
        "STOCULUS_STORE_URL_FILE": str(secret),
    }

    environment = Stack(LocalSettings(var_dir=tmp_path), given, print)._program_environment()
    settings = CoordinatorSettings.load(environment)

    assert settings.kafka == Kafka("127.0.0.1:9092")
    assert settings.registry.username == ""
    assert settings.store_url.get_secret_value().endswith("other.sqlite")
