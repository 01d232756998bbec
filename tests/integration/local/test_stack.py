"""The whole stack, up and down, with every program real."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from local.played_day import FIRST
from local.processes import Supervisor
from local.stack import Stack
from stoculus.errors import StackFailed
from stoculus.settings import LocalSettings
from tests.conftest import CHECKOUT, free_ports

PROGRAMS = [
    *("broker", "registry", "simulator"),
    *("historical-stock", "historical-option"),
    *("live-stream", "coordinator"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> LocalSettings:
    var = tmp_path_factory.mktemp("var")
    java = CHECKOUT / "var" / "java"
    java.mkdir(parents=True, exist_ok=True)
    (var / "java").symlink_to(java)  # fetched once a checkout
    kafka, controller, registry, simulator, stream, stock, option, live, coordinator = free_ports(9)
    return LocalSettings(
        var_dir=var,
        kafka_port=kafka,
        kafka_controller_port=controller,
        registry_port=registry,
        sim_port=simulator,
        sim_ws_port=stream,
        historical_stock_port=stock,
        historical_option_port=option,
        live_stream_port=live,
        coordinator_port=coordinator,
    )


@pytest.fixture(scope="module")
def stack(settings: LocalSettings) -> Iterator[Stack]:
    stack = Stack(settings, os.environ, print)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def pids(stack: Stack) -> dict[str, int | None]:
    return {each.name: each.pid for each in stack.status()}


def test_all_programs_are_ready_in_order(stack: Stack) -> None:
    assert [each.name for each in stack.status()] == PROGRAMS
    assert all(each.ready for each in stack.status())


def test_the_schemas_are_registered(stack: Stack, settings: LocalSettings) -> None:
    subjects = httpx2.get(f"http://127.0.0.1:{settings.registry_port}/apis/ccompat/v7/subjects", trust_env=False).json()
    assert len(subjects) >= 16


@pytest.mark.usefixtures("stack")
def test_days_of_options_are_sorted_in_the_stack_s_own_folder(settings: LocalSettings) -> None:
    assert list((settings.var_dir / "spill").iterdir())


def test_the_simulator_plays_the_first_day_on_the_stack_s_port(stack: Stack, settings: LocalSettings) -> None:
    shown = httpx2.get(f"http://127.0.0.1:{settings.sim_port}/__stream", trust_env=False).json()
    assert (shown["day"], shown["url"]) == (str(FIRST), f"ws://127.0.0.1:{settings.sim_ws_port}/v1/events")
    assert stack.live_day == FIRST


def test_a_second_up_leaves_all_as_it_is(stack: Stack) -> None:
    before = pids(stack)
    stack.up()
    assert pids(stack) == before


@pytest.mark.chaos
def test_up_brings_back_what_died_and_nothing_else(stack: Stack, settings: LocalSettings) -> None:
    before = pids(stack)
    supervisor = Supervisor(settings.var_dir)
    supervisor.kill("broker")
    supervisor.kill("simulator")
    stack.up()
    after = pids(stack)
    assert all(each.ready for each in stack.status())
    # The simulator plays the next day now, and the live service is told.
    assert {name for name in PROGRAMS if before[name] != after[name]} == {"broker", "simulator", "live-stream"}


def test_a_second_stack_on_the_same_ports_is_refused(stack: Stack, settings: LocalSettings, tmp_path: Path) -> None:
    (tmp_path / "java").symlink_to(settings.var_dir / "java")
    other = Stack(settings.model_copy(update={"var_dir": tmp_path}), os.environ, print)
    with pytest.raises(StackFailed, match=f"Port {settings.kafka_port} of broker is in use by process"):
        other.up()
    assert all(each.ready for each in stack.status())


def test_after_down_nothing_runs_and_a_second_down_is_harmless(stack: Stack) -> None:
    stack.down()
    assert list(pids(stack).values()) == [None] * len(PROGRAMS)
    stack.down()
