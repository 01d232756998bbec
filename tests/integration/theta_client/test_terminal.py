"""The supervisor, with real Java and a jar that behaves as the vendor's launcher does."""

import logging
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.standin.terminal import EMAIL, HEAP_MB, PASSWORD, Box, reaches, until
from theta_client.terminal.life import State
from theta_client.terminal.supervisor import Supervisor

Start = Callable[..., Supervisor]


@pytest.fixture
def box(standin_jar: Path, tmp_path: Path) -> Box:
    return Box(tmp_path / "the terminal", standin_jar)


@pytest.fixture
def start(box: Box) -> Iterator[Start]:
    """Starts supervisors on the box, and ends them."""
    with ExitStack() as stack:

        def run(**changes: Any) -> Supervisor:
            supervisor = box.supervisor(**changes)
            stack.callback(supervisor.close)
            supervisor.start()
            return supervisor

        yield run
    assert box.processes == []


def test_it_updates_itself_and_then_runs(box: Box, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    box.script(update_ms=700, start_ms=200, login_ms=300)
    supervisor = start()

    until(lambda: "updates itself" in supervisor.status.reason, lambda: supervisor.status)
    reaches(supervisor, State.RUNNING)

    assert supervisor.status.starts == 1
    assert supervisor.status.up_s >= 0
    assert "Starting server" in caplog.text
    assert (box.folder / "lib").is_dir()
    assert f'log_directory = "{box.folder}/logs"' in (box.folder / "config.toml").read_text()


def test_the_credentials_are_in_a_file_that_only_its_user_reads_and_nowhere_else(
    box: Box, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    box.script(leaks="yes")
    supervisor = start()
    reaches(supervisor, State.RUNNING)

    credentials = box.folder / "creds.txt"
    assert credentials.read_text() == f"{EMAIL}\n{PASSWORD}\n"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert len(box.processes) == 2
    for process in box.processes:
        seen = f"{process.cmdline()} {process.environ()}"
        assert EMAIL not in seen
        assert PASSWORD not in seen
    assert "Logging in as *** with ***" in caplog.text
    assert EMAIL not in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(box.setup)
    supervisor.close()
    assert not credentials.exists()


def test_heap_and_home_are_those_of_the_real_program_too(
    box: Box, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reaches(start(), State.RUNNING)

    [heap_mb] = [int(line.split()[-2]) for line in caplog.messages if "Heap" in line]
    assert abs(heap_mb - HEAP_MB) <= 4
    assert f"[terminal] Home {box.folder}" in caplog.messages


def test_one_that_dies_is_told_by_its_exit_code_and_started_again(
    box: Box, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    box.order("exit/3")
    reaches(supervisor, State.RUNNING, starts=2)

    assert "ended with exit code 3" in caplog.text
    assert len(box.processes) == 2


def test_one_that_ends_at_once_is_tried_again_and_again(box: Box, start: Start) -> None:
    box.script(exit_code=7)
    supervisor = start()
    until(lambda: supervisor.status.starts >= 3, lambda: supervisor.status)
    box.script()
    reaches(supervisor, State.RUNNING)


def test_one_that_listens_and_does_not_answer_is_ended_and_started_again(
    box: Box, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    box.order("hang")
    reaches(supervisor, State.HUNG)
    reaches(supervisor, State.RUNNING, starts=2)

    assert "has not answered" in caplog.text


@pytest.mark.parametrize("refused", ["exit", "loop"])
def test_credentials_that_are_refused_leave_it_down(box: Box, start: Start, refused: str) -> None:
    box.script(password="another", refused=refused)
    supervisor = start()
    reaches(supervisor, State.REFUSED)
    until(lambda: not box.processes, lambda: box.processes)
    time.sleep(0.5)

    assert supervisor.status.starts == 1
    assert "STOCULUS_THETA_PASSWORD" in supervisor.status.remedy
    box.script()
    reaches(supervisor, State.RUNNING, starts=2)


def test_one_that_is_kicked_out_stays_up_to_say_so_and_is_seldom_started_again(box: Box, start: Start) -> None:
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    before = [process.pid for process in box.processes]
    box.order("kick")
    reaches(supervisor, State.TAKEN)
    time.sleep(0.5)

    assert [process.pid for process in box.processes] == before
    assert httpx2.get(f"{box.setup.rest_url}/v3/stock/list/symbols", trust_env=False).status_code == 478
    assert "other terminal" in supervisor.status.remedy
    reaches(supervisor, State.RUNNING, starts=2)


def test_one_that_is_free_again_by_itself_is_not_started_again(box: Box, start: Start) -> None:
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    box.order("kick")
    reaches(supervisor, State.TAKEN)
    box.order("free")
    reaches(supervisor, State.RUNNING)

    assert supervisor.status.starts == 1


def test_it_is_ended_gently(box: Box, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    box.script(stop_ms=500)
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    begun = time.monotonic()
    supervisor.close()

    assert time.monotonic() - begun >= 0.5
    assert "Shutting down" in caplog.text
    assert box.processes == []


def test_one_that_does_not_end_is_killed(box: Box, start: Start) -> None:
    box.script(stop_ms=60_000)
    supervisor = start(stop_s=0.5)
    reaches(supervisor, State.RUNNING)
    begun = time.monotonic()
    supervisor.close()

    assert time.monotonic() - begun < 20  # not a minute
    assert box.processes == []


def test_two_supervisors_of_one_folder_never_both_start_a_jar(box: Box, start: Start) -> None:
    first = start()
    reaches(first, State.RUNNING)
    second = start()
    reaches(second, State.BLOCKED, starts=0)
    time.sleep(0.5)

    assert (first.status.state, second.status.starts) == (State.RUNNING, 0)
    assert "Another program" in second.status.reason
    first.close()
    reaches(second, State.RUNNING)


def test_it_is_not_started_where_its_port_is_taken(box: Box, start: Start) -> None:
    with socket.create_server(("127.0.0.1", box.ports[0])):
        supervisor = start()
        reaches(supervisor, State.BLOCKED, starts=0)
        assert str(box.ports[0]) in supervisor.status.reason
        assert box.processes == []
    reaches(supervisor, State.RUNNING)


def test_a_jar_that_was_changed_is_not_started_again(box: Box, start: Start) -> None:
    supervisor = start()
    reaches(supervisor, State.RUNNING)
    changed = box.setup.own_jar.read_bytes() + b"evil"
    box.setup.own_jar.unlink()
    box.setup.own_jar.write_bytes(changed)
    box.order("exit/1")
    reaches(supervisor, State.BLOCKED)

    assert box.sha256 in supervisor.status.reason
    assert supervisor.status.starts == 1
