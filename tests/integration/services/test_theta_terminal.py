"""The program theta-terminal, with a jar that behaves as the vendor's launcher does."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_ports
from tests.integration.services.harness import Service, until
from tests.standin.terminal import EMAIL, PASSWORD, Box, boxed

Program = Callable[..., Service]


@pytest.fixture
def box(standin_jar: Path, tmp_path: Path) -> Iterator[Box]:
    with boxed(tmp_path / "terminal", standin_jar) as box:
        yield box


@pytest.fixture
def program(box: Box, tmp_path: Path) -> Iterator[Program]:
    """Makes the program with settings of the box, but for what a test changes; None: without it."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Service:
            [port] = free_ports(1)
            chosen = {"terminal_port": port, **box.settings(), **changes}
            environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
            environment |= {f"STOCULUS_{name.upper()}": f"{value}" for name, value in chosen.items() if value}
            service = Service("services.theta_terminal", environment, port, tmp_path / "log")
            stack.callback(service.close)
            return service

        yield make


def test_it_is_ready_when_the_terminal_is_connected_and_says_why_it_is_not(box: Box, program: Program) -> None:
    box.script(update_ms=1500)
    service = program().begin()
    until(service.lives, "it answers")
    assert "The terminal is starting" in until(service.not_ready, "it is not ready")
    assert service.metric('stoculus_terminal_state{state="starting"}') == 1

    until(lambda: service.not_ready() is None, "it is ready")
    assert service.http.get("/readyz").status_code == 200
    assert service.metric('stoculus_terminal_state{state="running"}') == 1
    assert service.metric('stoculus_terminal_state{state="starting"}') == 0
    assert service.metric("stoculus_terminal_starts_total") == 1
    assert until(lambda: service.metric("stoculus_terminal_up_seconds"), "it is up") < 60

    box.order("kick")
    until(lambda: "other terminal" in (service.not_ready() or ""), "it says that it was kicked out")
    assert service.metric('stoculus_terminal_state{state="taken"}') == 1
    assert service.http.get("/livez").status_code == 200


@pytest.mark.chaos
def test_it_ends_soon_however_stubborn_java_is(box: Box, program: Program) -> None:
    box.script(stop_ms=60_000)
    service = program().start()
    begun = time.monotonic()

    assert service.end() == 0
    assert time.monotonic() - begun < 20  # it should be 8; a busy machine is slower, Java would be a minute
    assert box.processes == []


@pytest.mark.chaos
def test_a_terminal_that_a_killed_program_left_behind_is_ended_by_the_next_one(box: Box, program: Program) -> None:
    service = program().start()
    before = {process.pid for process in box.processes}
    service.kill9()
    assert {process.pid for process in box.processes} == before

    program().start()
    assert len(box.processes) == 2
    assert not before & {process.pid for process in box.processes}


def test_no_secret_is_in_its_log(box: Box, program: Program) -> None:
    box.script(leaks="yes")
    service = program().start()
    service.end()

    log = service.log.read_text()
    assert "Logging in as *** with ***" in log
    assert EMAIL not in log
    assert PASSWORD not in log


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"theta_email": None}, "STOCULUS_THETA_EMAIL_FILE"),
        ({"terminal_jar": None}, "STOCULUS_TERMINAL_JAR"),
        ({"terminal_sha256": "0" * 64}, "0" * 64),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_settings_end_it_with_what_to_set(program: Program, changes: dict[str, Any], told: str) -> None:
    service = program(**changes).begin()
    assert service.process is not None

    assert service.process.wait(30) == 78
    assert told in service.log.read_text()
    assert "Traceback" not in service.log.read_text()


def test_a_jar_that_cannot_be_fetched_now_ends_it_as_a_passing_trouble(program: Program) -> None:
    service = program(terminal_jar=None, terminal_url="http://127.0.0.1:1/terminal.jar").begin()
    assert service.process is not None

    assert service.process.wait(30) == 75
