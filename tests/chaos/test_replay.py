"""A replay whose broker dies, and comes back."""

import time
from collections.abc import Callable

import pytest

from stoculus.replay import Replay, State
from stoculus.settings import VendorSettings
from tests.conftest import Broker
from tests.integration.replay.conftest import CHAIN, QUOTES, Read, history, read, replay_id, where
from tests.integration.services.harness import until
from tests.integration.written import Written

__all__ = ["history", "read", "replay_id", "where"]
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
AWAY_S = 10


Start = Callable[[], Replay]


@pytest.fixture
def start(history: Written, where: VendorSettings, replay_id: str) -> Start:
    """Starts a replay of the quotes and the chain."""
    chosen = [history.topics[0], history.topics[2]]
    return lambda: Replay(history.backtest_id, settings=where, id=replay_id, speed=30, topics=chosen)


def wait_for_kafka(replay: Replay) -> None:
    until(lambda: replay.status.waits_for.startswith("Kafka"), "it waits")
    stood_us = replay.status.market_us
    time.sleep(AWAY_S)
    assert (replay.status.state, replay.status.market_us) == (State.WAITING, stood_us)


def test_it_waits_for_the_broker_and_so_does_its_clock(
    start: Start, history: Written, broker: Broker, read: Read
) -> None:
    with start() as replay:
        until(lambda: replay.status.records > 100, "some records are sent")
        broker.kill9()
        wait_for_kafka(replay)
        broker.start()
        last = replay.wait()

    assert last.records == QUOTES.num_rows + CHAIN.num_rows
    for topic, original in zip(replay.topics, (history.topics[0], history.topics[2]), strict=True):
        assert [each.whole for each in read(topic)] == [each.whole for each in read(original)]


def test_what_was_not_read_yet_is_read_when_the_broker_is_back(
    start: Start, history: Written, broker: Broker, read: Read
) -> None:
    with start() as replay:
        until(lambda: replay.status.records > 100, "some records are sent")
        replay.pause()
        quotes = until(lambda: read(replay.topics[0]), "they have arrived")
        broker.kill9()
        replay.seek("2024-01-02T09:35")
        replay.speed = "max"
        replay.resume()
        wait_for_kafka(replay)
        broker.start()
        replay.wait()

    original = [each.whole for each in read(history.topics[0])]
    assert [each.whole for each in read(replay.topics[0])] == original[: len(quotes)] + original[600:]
