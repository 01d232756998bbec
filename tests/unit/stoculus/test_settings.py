from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from stoculus.errors import SettingsInvalid
from stoculus.settings import (
    ClientSettings,
    CoordinatorSettings,
    LiveSettings,
    LocalSettings,
    ServiceSettings,
    SimulatorSettings,
    SuiteSettings,
    TerminalSettings,
    known_names,
)

PROGRAMS = [ClientSettings, ServiceSettings, CoordinatorSettings, SimulatorSettings, LocalSettings]


@pytest.mark.parametrize("settings", PROGRAMS)
def test_each_program_has_defaults_for_all_it_needs(settings: type[SuiteSettings]) -> None:
    assert settings.load({}) == settings()


def test_ports_are_those_of_the_documentation() -> None:
    service, coordinator, simulator = ServiceSettings.load({}), CoordinatorSettings.load({}), SimulatorSettings.load({})

    assert service.historical_stock_port == 8101
    assert coordinator.coordinator_port == 8000
    assert simulator.sim_port == 25503
    assert simulator.sim_ws_port == LocalSettings().sim_ws_port == 25520
    assert service.theta_url == f"http://127.0.0.1:{simulator.sim_port}"
    assert coordinator.historical_stock_url == f"http://127.0.0.1:{service.historical_stock_port}"


def test_values_are_read_from_the_environment() -> None:
    environ = {
        "STOCULUS_SIM_CLOCK": "2024-01-03T12:00:00Z",
        "STOCULUS_SIM_RECORDINGS": "/data",
        "STOCULUS_SIM_TIER": "value",
    }

    settings = SimulatorSettings.load(environ)

    assert settings.sim_clock == datetime(2024, 1, 3, 12, tzinfo=UTC)
    assert settings.sim_recordings == Path("/data")
    assert settings.sim_tier == "value"


def test_a_variable_of_another_program_is_no_mistake() -> None:
    assert ServiceSettings.load({"STOCULUS_SIM_TIER": "free", "PATH": "/bin"}).theta_tier == "free"


def test_a_variable_that_no_program_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsInvalid, match="STOCULUS_THETA_TEIR") as caught:
        ServiceSettings.load({"STOCULUS_THETA_TEIR": "pro"})

    assert caught.value.remedy == "Did you mean STOCULUS_THETA_TIER?"


def test_a_variable_like_no_other_is_refused_too() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        ServiceSettings.load({"STOCULUS_ZZZZZZ": "1"})

    assert caught.value.remedy == "Unset it."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOCULUS_THETA_TIER", "gold"),
        ("STOCULUS_THETA_IDLE_TIMEOUT_S", "0"),
        ("STOCULUS_MEMORY_BUDGET_MB", "31"),
        ("STOCULUS_CONCURRENT_TASKS", "many"),
        ("STOCULUS_HISTORICAL_STOCK_PORT", "http"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=name):
        ServiceSettings.load({name: value})


def test_a_variable_that_is_set_to_nothing_counts_as_not_set() -> None:
    assert ServiceSettings.load({"STOCULUS_HISTORICAL_STOCK_PORT": ""}).historical_stock_port == 8101


def test_settings_are_read_from_what_is_given_not_from_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOCULUS_THETA_TIER", "pro")

    assert ServiceSettings.load({}).theta_tier == "free"


class Guarded(SuiteSettings):
    """A program with a secret."""

    canary_pin: SecretStr | None = None
    canary_place: str = ""


def pin(settings: Guarded) -> str | None:
    return settings.canary_pin.get_secret_value() if settings.canary_pin else None


def test_a_secret_is_read_from_its_variable() -> None:
    assert pin(Guarded.load({"STOCULUS_CANARY_PIN": "canary"})) == "canary"
    assert pin(Guarded.load({"STOCULUS_CANARY_PIN_FILE": ""})) is None


@pytest.mark.parametrize(
    ("held", "read"), [(b"canary", "canary"), (b"canary\n", "canary"), (b"canary\r\n", "canary"), (b" a\n\n", " a\n")]
)
def test_a_secret_is_read_from_the_file_that_a_variable_names_less_the_last_newline(
    tmp_path: Path, held: bytes, read: str
) -> None:
    (file := tmp_path / "secret").write_bytes(held)

    assert pin(Guarded.load({"STOCULUS_CANARY_PIN_FILE": str(file)})) == read


@pytest.mark.parametrize(
    ("held", "told"),
    [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"\xff\xfe", "cannot be read: it is no text")],
)
def test_a_file_without_a_secret_is_refused(tmp_path: Path, held: bytes | None, told: str) -> None:
    file = tmp_path / "secret"
    if held is not None:
        file.write_bytes(held)

    with pytest.raises(SettingsInvalid, match=f"STOCULUS_CANARY_PIN_FILE names {told}") as caught:
        Guarded.load({"STOCULUS_CANARY_PIN_FILE": str(file)})

    assert caught.value.remedy


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    (file := tmp_path / "secret").write_text("canary")

    with pytest.raises(SettingsInvalid, match=r"STOCULUS_CANARY_PIN and STOCULUS_CANARY_PIN_FILE are both set"):
        Guarded.load({"STOCULUS_CANARY_PIN": "canary", "STOCULUS_CANARY_PIN_FILE": str(file)})


def test_only_secrets_are_read_from_files() -> None:
    with pytest.raises(SettingsInvalid, match="STOCULUS_CANARY_PLACE_FILE is not a setting"):
        Guarded.load({"STOCULUS_CANARY_PLACE_FILE": "/etc/hostname"})


def test_a_program_does_not_stumble_over_the_secret_of_another() -> None:
    assert {"STOCULUS_CANARY_PIN", "STOCULUS_CANARY_PIN_FILE"} <= known_names()
    assert ServiceSettings.load({"STOCULUS_CANARY_PIN_FILE": "/nowhere"}).theta_tier == "free"


def test_a_secret_is_shown_nowhere() -> None:
    settings = Guarded.load({"STOCULUS_CANARY_PIN": "canary"})
    shown = [repr(settings), str(settings), settings.model_dump_json()]

    with pytest.raises(SettingsInvalid) as caught:
        Guarded.load({"STOCULUS_CANARY_PIN_FILE": "canary"})  # the secret where the name of its file belongs
    shown += [repr(caught.value), str(caught.value), str(caught.value.__cause__)]

    assert "canary" not in "".join(shown).replace("canary_", "")


def test_a_terminal_of_its_own_is_on_loopback_whatever_else_is_set() -> None:
    environ = {
        "STOCULUS_THETA_MODE": "embedded",
        "STOCULUS_THETA_URL": "http://theta:25500",
        "STOCULUS_TERMINAL_REST_PORT": "1234",
    }

    assert ServiceSettings.load(environ).theta_url == "http://127.0.0.1:1234"
    assert LiveSettings.load(environ).theta_stream_url == "ws://127.0.0.1:25520/v1/events"
    assert ServiceSettings.load(environ | {"STOCULUS_THETA_MODE": "shared"}).theta_url == "http://theta:25500"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_nothing_need_be_said_of_access(host: str) -> None:
    assert CoordinatorSettings.load({"STOCULUS_HOST": host}).access is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "coordinator", "127.0.0.1.example"])
def test_elsewhere_it_must_be_said_who_may_use_the_coordinator(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="STOCULUS_ACCESS is not set") as caught:
        CoordinatorSettings.load({"STOCULUS_HOST": host})

    assert "keys" in caught.value.remedy
    assert "open" in caught.value.remedy
    assert CoordinatorSettings.load({"STOCULUS_HOST": host, "STOCULUS_ACCESS": "open"}).access == "open"


def test_keys_need_one_to_make_others_with() -> None:
    with pytest.raises(SettingsInvalid, match="STOCULUS_ADMIN_KEY is not set"):
        CoordinatorSettings.load({"STOCULUS_ACCESS": "keys"})


@pytest.mark.parametrize("name", ["STOCULUS_ADMIN_KEY", "STOCULUS_SERVICE_TOKEN"])
@pytest.mark.parametrize(
    "value",
    ["changethis", "0123456789abcde", " " * 20, "changethis-changethis", "Password-0123456", "a" * 40, "ö" * 20],
)
def test_a_secret_that_anybody_would_guess_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{name} is wrong") as caught:
        CoordinatorSettings.load({name: value})

    assert value not in str(caught.value)


def test_a_random_secret_is_taken() -> None:
    token = "9b1c5a7e3d2f4860"

    settings = ServiceSettings.load({"STOCULUS_SERVICE_TOKEN": token})

    assert settings.service_token is not None
    assert settings.service_token.get_secret_value() == token
    assert token not in repr(settings)


def test_a_key_that_no_header_can_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(SettingsInvalid, match="STOCULUS_API_KEY is wrong"):
        ClientSettings.load({"STOCULUS_API_KEY": "stoc_a\nb"})


def test_the_hash_of_a_jar_may_be_written_in_capitals() -> None:
    assert TerminalSettings.load({"STOCULUS_TERMINAL_SHA256": "AB" * 32}).terminal_sha256 == "ab" * 32
    with pytest.raises(SettingsInvalid, match="STOCULUS_TERMINAL_SHA256"):
        TerminalSettings.load({"STOCULUS_TERMINAL_SHA256": "AB"})
