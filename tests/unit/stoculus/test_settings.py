from datetime import UTC, datetime
from pathlib import Path

import pytest

from stoculus.errors import SettingsInvalid
from stoculus.settings import (
    ClientSettings,
    CoordinatorSettings,
    LocalSettings,
    ServiceSettings,
    SimulatorSettings,
    SuiteSettings,
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
