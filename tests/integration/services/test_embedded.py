"""Services that run a terminal of their own, inside: the stand-in jar, with the simulator's data behind it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.services.conftest import Read, ServiceOf
from tests.integration.services.harness import Checkpoints, Service, Simulator, content, until
from tests.integration.services.test_vendor_faults import waiting_for
from tests.standin.terminal import Box, boxed

TRADES = {"ticker": "SYM0500", "start": "2024-01-03", "end": "2024-01-05", "schema": "trade"}


@pytest.fixture
def box(standin_jar: Path, tmp_path: Path, simulator: Simulator) -> Iterator[Box]:
    with boxed(tmp_path / "terminal", standin_jar) as box:
        yield box.script(update_ms=500, upstream=simulator.url, stop_ms=60_000)


@pytest.fixture
def embedded(box: Box, new_service: ServiceOf) -> Iterator[Service]:
    """A service whose only way to the vendor is a terminal of its own."""
    made = new_service("http://127.0.0.1:1", theta_mode="embedded", **box.settings())
    yield made
    made.close()


def test_a_service_fetches_by_way_of_its_own_terminal(
    embedded: Service, box: Box, shared_service: Service, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    embedded.begin()
    until(embedded.lives, "it answers")
    assert "The terminal is starting" in until(embedded.not_ready, "it says what the terminal does")
    until(lambda: embedded.not_ready() is None, "it is ready")
    assert "enable = false" in box.setup.config.read_text()
    task_id = embedded.start_task({"backtest_id": backtest_id} | TRADES)
    checkpoints.completed(task_id)

    shared = shared_service.start_task({"backtest_id": f"{backtest_id}-shared"} | TRADES)
    checkpoints.completed(shared)
    assert content(read(task_id)) == content(read(shared))
    assert embedded.metric('stoculus_terminal_state{state="running"}') == 1
    begun = time.monotonic()
    assert embedded.end() == 0
    assert time.monotonic() - begun < 20  # 8 where nothing else runs
    assert box.processes == []


@pytest.mark.chaos
def test_a_terminal_that_dies_is_started_again_and_the_task_goes_on(
    embedded: Service, box: Box, checkpoints: Checkpoints, backtest_id: str
) -> None:
    embedded.start()
    box.order("exit/1")
    task_id = embedded.start_task({"backtest_id": backtest_id} | TRADES)

    assert checkpoints.completed(task_id).attempt == 1
    assert embedded.metric("stoculus_terminal_starts_total") == 2


@pytest.mark.chaos
def test_a_service_whose_terminal_is_kicked_out_waits_and_goes_on(
    embedded: Service, box: Box, checkpoints: Checkpoints, backtest_id: str
) -> None:
    embedded.start()
    box.order("kick")
    task_id = embedded.start_task({"backtest_id": backtest_id} | TRADES)
    until(lambda: waiting_for(embedded, task_id, "session_taken"), "it waits")
    assert "more than one terminal" in until(embedded.not_ready, "it says so")
    assert embedded.metric("stoculus_vendor_session_taken") == 1

    box.order("free")
    checkpoints.completed(task_id)
    until(lambda: embedded.not_ready() is None, "it is ready again")
    assert embedded.metric("stoculus_vendor_session_taken") == 0
    assert embedded.metric("stoculus_terminal_starts_total") == 1
