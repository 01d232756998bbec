"""The supervisor, with real processes: Python's own little web server, and scripts of one line."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local.probe import http_ok
from local.processes import Program, Supervisor
from stoculus.errors import StackFailed
from tests.conftest import free_ports


@pytest.fixture
def program() -> Program:
    (port,) = free_ports(1)
    return Program(
        name="web",
        command=(sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
        environment=os.environ,
        ports=(port,),
        ready=lambda: http_ok(port, "/"),
    )


def script(code: str) -> Program:
    return Program("script", (sys.executable, "-c", code), os.environ, (), ready=lambda: False)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, stop_s=5)
    yield supervisor
    for name in ("web", "script"):
        supervisor.stop(name)


def test_a_started_program_answers_and_a_second_start_leaves_it_alone(supervisor: Supervisor, program: Program) -> None:
    assert supervisor.start(program)
    pid = supervisor.pid("web")
    assert program.ready()
    assert not supervisor.start(program)
    assert supervisor.pid("web") == pid


def test_another_supervisor_of_the_same_folder_knows_and_stops_it(
    supervisor: Supervisor, program: Program, tmp_path: Path
) -> None:
    supervisor.start(program)
    pid = supervisor.pid("web")
    other = Supervisor(tmp_path)
    assert other.pid("web") == pid
    assert other.stop("web")
    assert not program.ready()
    assert not other.stop("web")


def test_a_killed_program_is_started_anew(supervisor: Supervisor, program: Program) -> None:
    supervisor.start(program)
    pid = supervisor.pid("web")
    supervisor.kill("web")
    assert supervisor.pid("web") is None
    assert supervisor.start(program)
    assert supervisor.pid("web") not in (None, pid)


def test_a_program_with_other_settings_is_restarted(supervisor: Supervisor, program: Program) -> None:
    supervisor.start(program)
    pid = supervisor.pid("web")
    assert supervisor.start(replace(program, environment={**os.environ, "STOCULUS_SIM_TIER": "free"}))
    assert supervisor.pid("web") != pid


def test_a_pid_file_that_names_a_foreign_process_does_not_count(
    supervisor: Supervisor, program: Program, tmp_path: Path
) -> None:
    record = {"pid": os.getpid(), "command": program.command, "fingerprint": program.fingerprint}
    (tmp_path / "run" / "web.json").write_text(json.dumps(record))
    assert supervisor.pid("web") is None
    assert not supervisor.stop("web")  # and this very process lives on


@pytest.mark.parametrize("content", ["", '{"pid": 1', "[]", '{"pid": 1}'])
def test_a_broken_pid_file_does_not_count(
    supervisor: Supervisor, program: Program, tmp_path: Path, content: str
) -> None:
    (tmp_path / "run" / "web.json").write_text(content)
    assert supervisor.start(program)


def test_a_port_in_use_is_refused_with_who_uses_it(supervisor: Supervisor, program: Program) -> None:
    with socket.create_server(("127.0.0.1", program.ports[0])), pytest.raises(StackFailed) as caught:
        supervisor.start(program)
    assert str(program.ports[0]) in caught.value.message
    assert f"process {os.getpid()}" in caught.value.message
    assert "port" in caught.value.remedy
    assert supervisor.pid("web") is None


def test_a_program_that_ends_at_its_start_is_an_error_with_its_last_words(supervisor: Supervisor) -> None:
    with pytest.raises(StackFailed, match="ended at its start") as caught:
        supervisor.start(script("import sys; print('one'); sys.exit('two')"))
    assert caught.value.detail.splitlines() == ["one", "two"]
    assert str(supervisor.log("script")) in caught.value.remedy


def test_a_program_that_never_gets_ready_is_an_error_and_can_be_stopped(supervisor: Supervisor) -> None:
    with pytest.raises(StackFailed, match="not ready"):
        supervisor.start(script("import time; time.sleep(60)"), timeout_s=0.1)
    assert supervisor.pid("script") is not None
    assert supervisor.stop("script")


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, stop_s=0.5)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    program = replace(script(deaf), ready=lambda: supervisor.log("script").read_text() == "deaf\n")
    supervisor.start(program)
    pid = supervisor.pid("script")
    assert pid is not None
    supervisor.stop("script")
    assert not psutil.pid_exists(pid)


def test_the_log_keeps_what_earlier_starts_said(supervisor: Supervisor) -> None:
    for _ in range(2):
        with pytest.raises(StackFailed):
            supervisor.start(script("print('said')"))
    assert supervisor.log("script").read_text() == "said\nsaid\n"
