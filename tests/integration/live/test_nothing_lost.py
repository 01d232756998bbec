"""Whatever dies while a day plays: every tick of its history is on the topic once, healed where it was lost.

tests/chaos does so at random moments, for longer.
"""

from collections import Counter
from datetime import date

import pytest

from services.live_stream.bars.grid import midnight_us
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import AFTER_THE_LAST_US, Live, as_streamed, whole
from tests.integration.services.harness import until

pytestmark = pytest.mark.chaos

DAY = date(2024, 1, 3)
SPEED = 2000
RECORDS = {"quote": "StockQuote", "trade": "StockTrade", "ohlcv1m": "StockOhlcv"}


def feeds(ticker: str) -> list[dict[str, str]]:
    return [{"asset": "stock", "ticker": ticker, "schema": schema} for schema in RECORDS]


def wait_for_ticks(live: Live, count: int) -> None:
    until(lambda: live.played()["ticks_sent"] >= count, f"{count} ticks are played")


def assert_that_nothing_is_lost(live: Live, ticker: str, history: History) -> None:
    """Play to the end; every topic equals its history as a multiset."""
    live.wait_until_played()
    for schema, record in RECORDS.items():
        topic = f"stock-{ticker.lower()}-{schema}-live"
        mark = live.wait_until_complete(topic, midnight_us(DAY) + AFTER_THE_LAST_US)
        task = {"ticker": ticker, "schema": schema, "start": str(DAY), "end": str(DAY)}
        expected = as_streamed(history(live.simulator.url, "historical_stock", **task), record)
        found = Counter(whole(live.records(topic)))
        missing, extra = Counter(expected) - found, found - Counter(expected)

        assert (len(missing), len(extra)) == (0, 0), (topic, live.events(topic))
        assert min(time_ms for *_, time_ms in expected) * 1000 >= mark.complete_from_us - 60_000_000
        kinds = Counter(event.kind for event in live.events(topic))
        assert kinds["gap"] >= 1
        assert kinds["healed"] >= 1


def test_a_day_with_broken_connections_and_a_killed_service(running: Running, history: History) -> None:
    with running(sim_live_date=DAY, sim_live_speed=SPEED) as live:
        live.want("tape", *feeds("AMD"))
        for drops in range(1, 4):
            wait_for_ticks(live, drops * 400)
            live.simulator.fault("stream_drop", times=1)
        wait_for_ticks(live, 1_600)
        live.service.kill9()
        live.service.start()
        live.want("tape", *feeds("AMD"))
        assert_that_nothing_is_lost(live, "AMD", history)
