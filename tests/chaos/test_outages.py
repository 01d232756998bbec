"""Broker, registry, store and vendor away: at the start, and in the middle."""

import time
from dataclasses import replace

import httpx2
import pytest

from tests.chaos.conftest import Market
from tests.chaos.truth import verify
from tests.chaos.world import BROKER, COORDINATOR, REGISTRY, SERVICE, VENDOR, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
AWAY_S = 30


def refused(world: World, market: Market, backtest_id: str) -> httpx2.Response:
    """A submission that is refused for now, and leaves nothing behind."""
    answer = world.api.post("/v1/backtests", json=market.small.body(backtest_id))
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    return answer


def waits_for(world: World, backtest_id: str, code: str) -> None:
    """The user is told what a backtest waits for, and it has not failed."""

    def told() -> bool:
        shown = world.show(backtest_id)
        assert shown.get("state") in (None, "running", "queued"), shown
        return any(code in (task["waiting"] or "") for task in shown.get("tasks", []))

    until(told, f"{backtest_id} waits because of {code}", deadline_s=60)


def test_the_broker_is_away_at_the_start(world: World, market: Market) -> None:
    world.kill(SERVICE, COORDINATOR, BROKER)
    world.start(world.program(SERVICE), ready=False)
    world.start(world.program(COORDINATOR), ready=False)
    until(lambda: world.answer("/livez") == 200, "the coordinator answers")
    assert world.answer("/readyz") == 503
    refused(world, market, "early")
    world.up()
    world.submit(market.small.body("early"))
    world.wait_for("early", "completed")
    verify(world, "early", market.small)


def test_the_broker_is_away_for_half_a_minute(world: World, market: Market) -> None:
    world.slow(1_500_000)
    world.submit(market.medium.body("broker"))
    world.wait_for_records("broker")
    world.kill(BROKER)
    time.sleep(AWAY_S)
    assert world.answer("/livez") == 200
    assert world.show("broker").get("state") == "running"
    refused(world, market, "meanwhile")
    world.up()
    world.heal()
    world.wait_for("broker", "completed")
    verify(world, "broker", market.medium)


def test_the_registry_is_away_at_the_start(world: World, market: Market) -> None:
    world.kill(SERVICE, REGISTRY)
    world.start(world.program(SERVICE))
    world.submit(market.small.body("no-registry"))
    waits_for(world, "no-registry", "registry_unavailable")
    world.up()
    world.wait_for("no-registry", "completed")
    verify(world, "no-registry", market.small)


def test_a_running_task_does_not_miss_the_registry(world: World, market: Market) -> None:
    world.slow(1_500_000)
    world.submit(market.medium.body("registry"))
    world.wait_for_records("registry")
    world.kill(REGISTRY)
    world.heal()
    world.wait_for("registry", "completed")
    world.up()
    verify(world, "registry", market.medium)


def test_a_coordinator_whose_store_cannot_be_written_refuses_what_would_change_it(world: World, market: Market) -> None:
    world.slow(300_000)
    world.submit(market.medium.body("stored"))
    world.wait_for_records("stored")
    world.stop(COORDINATOR)
    program = world.program(COORDINATOR)
    path = program.environment["STOCULUS_STORE_URL"].removeprefix("sqlite:///")
    read_only = {**program.environment, "STOCULUS_STORE_URL": f"sqlite:///file:{path}?mode=ro&uri=true"}
    world.start(replace(program, environment=read_only), ready=False)
    until(lambda: world.show("stored"), "the coordinator shows what is stored")
    refused(world, market, "unwritten")
    assert world.act("stored", "pause").status_code == 503
    assert world.answer("/readyz") == 503
    world.heal()
    world.wait_for("stored", "completed")
    world.up()
    verify(world, "stored", market.medium)
    assert world.api.get("/v1/backtests/unwritten").status_code == 404
    world.submit(market.small.body("unwritten"))


@pytest.mark.parametrize("fresh", [True, False])
def test_the_vendor_is_away_at_submit(fresh: bool, world: World, market: Market) -> None:
    if fresh:
        world.kill(SERVICE)
        world.up()
    else:
        world.submit(market.bars.body("the-service-knows-the-symbols"))
    world.kill(VENDOR)
    backtest_id = f"no-vendor-{fresh}".lower()
    refused(world, market, backtest_id)
    assert world.api.get(f"/v1/backtests/{backtest_id}").status_code == 404
    assert market.small.topic(market.small.symbols[0], backtest_id) not in world.topics()
    world.up()
    world.submit(market.small.body(backtest_id))
    world.wait_for(backtest_id, "completed")
    verify(world, backtest_id, market.small)


def test_the_vendor_is_away_in_the_middle(world: World, market: Market) -> None:
    world.slow(1_500_000)
    world.submit(market.medium.body("vendor"))
    world.wait_for_records("vendor")
    world.kill(VENDOR)
    waits_for(world, "vendor", "vendor_")
    world.up()
    world.wait_for("vendor", "completed")
    verify(world, "vendor", market.medium)
