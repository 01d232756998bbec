"""A replay whose broker dies, and comes back."""

import time

import pytest

from stoculus.replay import Replay, State
from stoculus.settings import VendorSettings
from tests.conftest import Broker
from tests.integration.replay.conftest import CHAIN, QUOTES, Read, history, read, replay_id, where
from tests.integration.services.harness import until
from tests.integration.written import Written

__all__ = ["history", "read", "replay_id", "where"]
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
AWAY_S = 20


@pytest.mark.parametrize("speed", [30, "max"])
def test_it_waits_for_the_broker_and_so_does_its_clock(
    history: Written, where: VendorSettings, broker: Broker, read: Read, replay_id: str, speed: float
) -> None:
    chosen = [history.topics[0], history.topics[2]]
    with Replay(history.backtest_id, settings=where, id=replay_id, speed=30, topics=chosen) as replay:
        until(lambda: replay.status.records > 100, "some records are sent")
        broker.kill9()
        replay.speed = speed
        status = until(lambda: waiting if (waiting := replay.status).state is State.WAITING else None, "it waits")
        assert status.waits_for.startswith("Kafka")
        stood_us = status.market_us
        time.sleep(AWAY_S)
        assert replay.status.market_us == stood_us
        broker.start()
        last = replay.wait()

    assert last.records == QUOTES.num_rows + CHAIN.num_rows
    for topic, original in zip(replay.topics, chosen, strict=True):
        assert [each.whole for each in read(topic)] == [each.whole for each in read(original)]
