"""Transactions: hidden behind another's, stopped at any moment, never left open; and one backtest for many POSTs."""

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Producer

from stoculus.kafka.checkpoints import partition_of
from stoculus.topics import CHECKPOINTS
from tests.chaos.conftest import Market
from tests.chaos.truth import compare, messages, require_no_open_transaction, vendor_rows, verify
from tests.chaos.world import SERVICE, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]
SAME_POSTS = 200


def test_a_transaction_of_another_task_hanging_on_the_checkpoint_partition_duplicates_nothing(
    world: World, market: Market
) -> None:
    [symbol] = market.large.symbols
    topic = market.large.topic(symbol, "hidden")
    world.slow(4_000_000)
    world.submit(market.large.body("hidden"))
    world.wait_for_records("hidden")
    other = Producer(
        {
            **world.kafka.config,
            "transactional.id": "hanging",
            "transaction.timeout.ms": 15_000,
            "log_level": 2,
        }
    )
    try:
        other.init_transactions(30)
        other.begin_transaction()
        other.produce(CHECKPOINTS, json.dumps({"open": True}).encode(), "hanging", partition_of(topic))
        other.flush(10)
        before = sum(1 for _ in messages(world, topic))
        # Their checkpoints stand behind the open transaction: who reads to the last stable offset misses them.
        until(lambda: sum(1 for _ in messages(world, topic)) > before, "rows are committed meanwhile")
        world.kill(SERVICE)
        world.up()
        world.heal()
        world.wait_for("hidden", "completed")
    finally:
        other.purge()
    verify(world, "hidden", market.large)
    require_no_open_transaction(world, CHECKPOINTS, topic)


def test_the_same_post_two_hundred_times_at_once_is_one_backtest(world: World, market: Market) -> None:
    body = market.bars.body("same")
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: world.api.post("/v1/backtests", json=body), range(SAME_POSTS)))
    assert Counter(answer.status_code for answer in answers) == {202: 1, 200: SAME_POSTS - 1}
    listed = world.api.get("/v1/backtests", params={"limit": 200}).json()["backtests"]
    assert [one["backtest_id"] for one in listed].count("same") == 1
    world.wait_for("same", "completed")
    verify(world, "same", market.bars)


def test_thirty_pauses_and_resumes_at_random_moments(world: World, market: Market, rng: random.Random) -> None:
    world.slow(4_000_000)
    world.submit(market.large.body("moody"))
    topic = market.large.topic(market.large.symbols[0], "moody")
    for number in range(30):
        action = rng.choice(["pause", "resume"])
        answer = world.act("moody", action)
        assert answer.status_code == 200, answer.text
        time.sleep(rng.choice([0.0, rng.uniform(0, 3)]))
        if number % 10 == 9:
            assert world.act("moody", "pause").status_code == 200
            world.wait_for("moody", "paused")
            require_no_open_transaction(world, CHECKPOINTS, topic)
    world.heal()
    assert world.act("moody", "resume").status_code == 200
    world.wait_for("moody", "completed")
    verify(world, "moody", market.large)
    require_no_open_transaction(world, CHECKPOINTS, topic)


def test_a_backtest_cancelled_at_a_random_moment_leaves_an_exact_beginning(
    world: World, market: Market, rng: random.Random
) -> None:
    world.slow(4_000_000)
    symbols = market.medium.symbols
    for number in range(8):
        backtest_id = f"cancelled-{number}"
        world.submit(market.medium.body(backtest_id))
        time.sleep(rng.uniform(0, 3))
        assert world.act(backtest_id, "cancel").status_code in (200, 409)
        world.wait_for(backtest_id, "cancelled", "completed")
        topics = [market.medium.topic(symbol, backtest_id) for symbol in symbols]
        require_no_open_transaction(world, CHECKPOINTS, *topics)
        assert world.held(world.service_url) == {}
    world.heal()
    for number in range(8):
        shown = world.show(f"cancelled-{number}")
        counts = [
            compare(
                world, task["topic"], task["symbol"], vendor_rows(world, task["symbol"], market.medium), complete=False
            )
            for task in shown["tasks"]
        ]
        assert [count for count, _ in counts] == [task["records"] for task in shown["tasks"]]
