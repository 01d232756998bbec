"""A day is streamed while everything dies now and then: at its end each topic holds its history, once."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Final

import httpx2
import pytest

from local.java import Artifacts
from services.live_stream.bars.grid import midnight_us
from tests.chaos.world import BROKER, COORDINATOR, LIVE, World, until
from tests.conftest import CHECKOUT
from tests.integration.kafka.conftest import read_all
from tests.integration.live.harness import AFTER_THE_LAST_US, as_streamed

DAY: Final = date(2024, 1, 3)
SPEED: Final = 130
BROKER_AWAY_S: Final = 30
STOCK: Final = {"asset": "stock", "symbols": ["AMD"]}
CHAIN: Final = {"asset": "option", "contracts": ["SPXW  240105C04700000", "SPXW  240105P04700000"]}
SCHEMAS: Final = {"quote": "Quote", "trade": "Trade", "ohlcv": "Ohlcv"}


@pytest.fixture(scope="module")
def played_world(java_artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack whose simulator plays a day in seven minutes."""
    var = tmp_path_factory.mktemp("live")
    (var / "java").symlink_to(CHECKOUT / "var" / "java")
    world = World(var, {"STOCULUS_SIM_LIVE_DATE": str(DAY), "STOCULUS_SIM_LIVE_SPEED": str(SPEED)})
    try:
        world.up()
        yield world
    finally:
        world.down()
        shutil.rmtree(var / "kafka", ignore_errors=True)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_a_day_with_fifty_lost_connections_ten_kills_and_a_broker_that_is_away(
    played_world: World, rng: random.Random
) -> None:
    world = played_world
    data = [{**what, "schema": schema} for what in (STOCK, CHAIN) for schema in SCHEMAS]
    assert world.api.post("/v1/streams", json={"stream_id": "tape", "data": data}).status_code == 202
    until(lambda: played(world)["ticks_sent"] > 100, "the tape plays")
    blows: list[Callable[[World], None]] = [*[drop] * 50, *[kill_service] * 10, kill_coordinator, starve]
    rng.shuffle(blows)
    for blow in blows:
        time.sleep(rng.uniform(0.5, 7.0))
        blow(world)
    at = played(world)
    assert at["ticks_left"] > 0, "the day was over before the last blow: play it slower"
    until(lambda: (now := played(world))["position"] and not now["ticks_left"], "the day is over", 600)

    for asset, symbol in (("stock", "amd"), ("option", "spxw")):
        for schema, record in SCHEMAS.items():
            name = schema + ("1m" if schema == "ohlcv" else "")
            compare(world, f"{asset}-{symbol}-{name}-live", asset.capitalize() + record)


def compare(world: World, topic: str, record: str) -> None:
    """A live topic, once it is complete, and the backtest of the same day hold the same records."""

    def complete() -> bool:
        [found] = [one for one in stream(world).get("topics", ()) if one["topic"] == topic]
        until_us = midnight_us(DAY) + AFTER_THE_LAST_US
        return bool(found["complete_until"]) and micros(found["complete_until"]) >= until_us

    until(complete, f"{topic} is complete", 300)
    what = STOCK if topic.startswith("stock") else CHAIN
    schema = topic.split("-")[2].removesuffix("1m")
    backtest_id = topic.removesuffix("-live")
    world.submit(
        {
            "backtest_id": backtest_id,
            "start": str(DAY),
            "end": str(DAY),
            "session": "extended",
            "data": [{**what, "schema": schema}],
        }
    )
    [topic_of_history] = world.wait_for(backtest_id, "completed")["topics"]
    expected = as_streamed(records(world, topic_of_history), record)
    found = Counter(records(world, topic))

    assert not Counter(expected) - found, topic
    assert not found - Counter(expected), topic


def records(world: World, topic: str) -> list[tuple[bytes, bytes, int]]:
    return [(one.key or b"", (one.value or b"")[5:], one.time_ms) for one in read_all(world.kafka, topic)]


def micros(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1e6)


def stream(world: World) -> dict[str, Any]:
    try:
        return dict(world.api.get("/v1/streams/tape").raise_for_status().json())
    except httpx2.HTTPError:
        return {}


def played(world: World) -> dict[str, Any]:
    return dict(httpx2.get(f"{world.vendor_url}/__stream", trust_env=False).json())


def drop(world: World) -> None:
    world.fault(fault={"kind": "stream_drop"}, times=1)


def kill_service(world: World) -> None:
    world.kill(LIVE)
    world.start(world.program(LIVE))


def kill_coordinator(world: World) -> None:
    world.kill(COORDINATOR)
    world.start(world.program(COORDINATOR))


def starve(world: World) -> None:
    """The broker is away."""
    world.kill(BROKER)
    time.sleep(BROKER_AWAY_S)
    world.start(world.program(BROKER))
