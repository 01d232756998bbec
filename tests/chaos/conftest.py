"""A stack to break, what to submit to it, and randomness that can be repeated (CHAOS_SEED=…)."""

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from local.java import Artifacts
from tests.chaos.truth import Selection
from tests.chaos.world import World
from tests.conftest import CHECKOUT, MARKET_DATA


@dataclass(frozen=True, slots=True)
class Market:
    """Selections of what the stack's vendor has: recorded ticks where they are there, else made-up ones.

    `small` is one topic and some ten thousand rows, `medium` two topics and hundreds of thousands, `large` more;
    `bars` is small and of another time.
    """

    small: Selection
    medium: Selection
    large: Selection
    bars: Selection


RECORDED_DAYS = (date(2013, 10, 7), date(2013, 10, 8))
RECORDED = Market(
    small=Selection(("IBM",), "trade", RECORDED_DAYS),
    medium=Selection(("IBM", "BAC"), "trade", RECORDED_DAYS),
    large=Selection(("SPY",), "trade", RECORDED_DAYS),
    bars=Selection(("AAPL",), "ohlcv", (date(2014, 6, 5), date(2014, 6, 6), date(2014, 6, 9)), "1m"),
)
MADE_UP_DAYS = tuple(date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9))
MADE_UP = Market(
    small=Selection(("AAPL",), "trade", MADE_UP_DAYS[:2]),
    medium=Selection(("AAPL", "SPY"), "trade", MADE_UP_DAYS),
    large=Selection(("LOAD",), "trade", MADE_UP_DAYS[:1]),
    bars=Selection(("MSFT",), "ohlcv", MADE_UP_DAYS[:3], "1m"),
)


@pytest.fixture(scope="session")
def market() -> Market:
    return RECORDED if (MARKET_DATA / "lean").is_dir() else MADE_UP


@pytest.fixture(scope="module")
def shared_world(
    java_artifacts: Artifacts, market: Market, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    var = tmp_path_factory.mktemp("chaos")
    (var / "java").symlink_to(CHECKOUT / "var" / "java")
    recordings = {"STOCULUS_SIM_RECORDINGS": str(MARKET_DATA / "lean")} if market is RECORDED else {}
    world = World(var, recordings | {"STOCULUS_THETA_IDLE_TIMEOUT_S": "5"})
    try:
        world.up()
        yield world
    finally:
        world.down()
        shutil.rmtree(var / "kafka", ignore_errors=True)


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The module's stack, whole and without faults at the start of each test."""
    shared_world.up()
    shared_world.heal()
    yield shared_world
    shared_world.up()


@pytest.fixture
def rng() -> random.Random:
    """The test's randomness; its seed is printed with a failure."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture
def var(shared_world: World) -> Path:
    return shared_world.settings.var_dir
