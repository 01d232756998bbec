"""Whatever dies, whenever, starting it again brings a running backtest to its exact end."""

import random
import signal
import time
from dataclasses import replace

import httpx2
import pytest

from local.probe import http_ok
from tests.chaos.conftest import Market
from tests.chaos.hunt import survive_kills
from tests.chaos.truth import require_no_open_transaction, verify
from tests.chaos.world import BROKER, COORDINATOR, SERVICE, World, listening_ports, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]
FROZEN_S = 20
"""Longer than transaction.timeout.ms (15 s) and the broker's scan."""
END_S = 8


def test_twenty_kills_of_the_service(world: World, market: Market, rng: random.Random) -> None:
    world.submit(market.bars.body("beside"))
    world.slow(4_000_000)
    survive_kills(world, market.large, "twenty", [(SERVICE,)] * 20, rng)
    world.wait_for("beside", "completed")
    verify(world, "beside", market.bars)


@pytest.mark.parametrize("victims", [(BROKER,), (COORDINATOR,), (SERVICE, BROKER, COORDINATOR)])
def test_one_kill_of(victims: tuple[str, ...], world: World, market: Market, rng: random.Random) -> None:
    world.slow(1_500_000)
    survive_kills(world, market.medium, f"one-{len(victims)}-{victims[0][0]}", [victims], rng)


def test_a_service_that_was_frozen_goes_on_by_itself(world: World, market: Market, rng: random.Random) -> None:
    world.slow(1_500_000)
    world.submit(market.medium.body("frozen"))
    world.wait_for_records("frozen")
    time.sleep(rng.uniform(0, 1))
    world.signal(SERVICE, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    world.signal(SERVICE, signal.SIGCONT)
    world.heal()
    world.wait_for("frozen", "completed")
    verify(world, "frozen", market.medium)


def test_a_service_that_was_frozen_in_a_transaction_goes_on_by_itself(
    world: World, market: Market, rng: random.Random
) -> None:
    world.submit(market.large.body("frozen-within"))
    world.wait_for_records("frozen-within")
    time.sleep(rng.uniform(0, 0.2))
    world.signal(SERVICE, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    world.signal(SERVICE, signal.SIGCONT)
    world.wait_for("frozen-within", "completed")
    verify(world, "frozen-within", market.large)


def test_of_two_services_with_the_same_task_the_older_is_fenced(world: World, market: Market) -> None:
    [port] = listening_ports(1)
    program = world.program(SERVICE)
    settings = {**program.environment, "STOCULUS_HISTORICAL_STOCK_PORT": str(port)}
    second = replace(program, name="second", environment=settings, ports=(port,))
    world.start(replace(second, ready=lambda: http_ok(port, "/readyz")))
    try:
        world.slow(8_000_000)
        world.submit(market.large.body("two"))
        world.wait_for_records("two")
        httpx2.post(f"http://127.0.0.1:{port}/v1/tasks", json=market.large.task("two"), trust_env=False)
        until(lambda: "Another runner has taken over" in world.log(SERVICE), "the first service is fenced")
        # The coordinator sees that its service has the task no more, and gives it to it again.
        until(lambda: "Another runner has taken over" in world.log("second"), "the second service is fenced")
        assert world.held(f"http://127.0.0.1:{port}") == {}
        world.heal()
        world.wait_for("two", "completed")
        verify(world, "two", market.large)
    finally:
        world.stop("second")


def test_a_service_told_to_end_in_mid_chunk_ends_well_and_in_time(world: World, market: Market) -> None:
    world.slow(1_500_000)
    world.submit(market.medium.body("term"))
    world.wait_for_records("term")
    assert world.end(SERVICE, END_S) == 0
    topics = [market.medium.topic(symbol, "term") for symbol in market.medium.symbols]
    require_no_open_transaction(world, "stoculus.checkpoints", *topics)
    world.up()
    world.heal()
    world.wait_for("term", "completed")
    verify(world, "term", market.medium)


def test_programs_told_to_end_while_the_broker_is_away_end_well(
    world: World, market: Market, rng: random.Random
) -> None:
    world.submit(market.large.body("term-alone"))
    world.wait_for_records("term-alone")
    world.kill(BROKER)
    time.sleep(rng.uniform(0, 3))
    assert world.end(SERVICE, END_S) == 0
    assert world.end(COORDINATOR, END_S) == 0
    world.up()
    world.wait_for("term-alone", "completed")
    verify(world, "term-alone", market.large)
