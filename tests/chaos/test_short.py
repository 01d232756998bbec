"""The short selection of the chaos tests: some kills of every program that holds state."""

import random

import pytest

from tests.chaos.conftest import Market
from tests.chaos.hunt import survive_kills
from tests.chaos.world import BROKER, COORDINATOR, SERVICE, World


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_backtest_survives_kills_of_service_broker_and_coordinator(
    world: World, market: Market, rng: random.Random
) -> None:
    world.slow(1_500_000)
    victims = [(SERVICE,), (SERVICE,), (SERVICE,), (BROKER,), (COORDINATOR,)]
    rng.shuffle(victims)
    survive_kills(world, market.medium, "short", victims, rng)
