"""Whatever dies, and in whatever order it comes, the suite heals by itself."""

import random
import time
from typing import Any, Final

import pytest

from tests.compose.suite import Suite, run, until

pytestmark = [pytest.mark.chaos]
VICTIMS: Final = (
    "kafka",
    "apicurio",
    "registry",
    "simulator",
    "coordinator",
    "historical-stock",
    "historical-option",
    "live-stream-played",
)
ORDERS: Final = 10
BACKTEST: Final[dict[str, Any]] = {
    "start": "2024-01-02",
    "end": "2024-01-05",
    "data": [
        {"asset": "stock", "symbols": ["AAPL", "SPY"], "schema": "trade"},
        {
            "asset": "option",
            "root": "SPXW",
            "schema": "quote",
            "interval": "1m",
            "expirations": ["2024-01-05"],
            "strikes": {"min": 4600, "max": 4800},
        },
    ],
}
STREAM: Final = {"stream_id": "tape", "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}]}
SLOW: Final = """
import json, urllib.request
body = json.dumps({"fault": {"kind": "slow", "bytes_per_s": 1_500_000}}).encode()
request = urllib.request.Request("http://127.0.0.1:25500/__faults", body, {"Content-Type": "application/json"})
urllib.request.urlopen(request)
"""


@pytest.fixture(scope="module")
def streaming(suite: Suite) -> Suite:
    """The suite, with a stream that runs."""
    assert suite.api.post("/v1/streams", json=STREAM).status_code in (200, 202)
    until(lambda: told_until(suite), "the stream runs")
    return suite


def told_until(suite: Suite) -> str:
    """Up to where the stream's topic is complete."""
    topics = suite.show("streams", "tape").get("topics", [{}])
    return max((topic.get("complete_until") or "" for topic in topics), default="")


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_while_a_backtest_and_a_stream_run(streaming: Suite, victim: str, rng: random.Random) -> None:
    suite, backtest_id = streaming, f"kill-{victim}"
    suite.exec("simulator", "python", "-c", SLOW)
    suite.submit(backtest_id, **BACKTEST)
    until(lambda: suite.show("backtests", backtest_id).get("records"), "records")
    time.sleep(rng.uniform(0, 2))

    suite.kill(victim)
    suite.heal()
    suite.wait_for(backtest_id)

    suite.verify(backtest_id)
    before = told_until(suite)
    until(lambda: told_until(suite) > before, "the stream goes on")


@pytest.mark.parametrize("order", range(ORDERS))
def test_containers_start_in_any_order(streaming: Suite, order: int, rng: random.Random) -> None:
    suite = streaming
    ids = [container["Id"] for container in suite.containers().values()]
    run("docker", "stop", "--time", "10", *ids)
    rng.shuffle(ids)

    for each in ids:
        run("docker", "start", each)
        time.sleep(rng.uniform(0, 1))
    suite.heal()

    suite.submit(f"order-{order}", **BACKTEST)
    suite.wait_for(f"order-{order}")
    suite.verify(f"order-{order}")
    before = told_until(suite)
    until(lambda: told_until(suite) > before, "the stream goes on")
