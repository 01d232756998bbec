"""Streams that are bound to a session: the calendar says when they are subscribed, the tape's clock when that is."""

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

import pytest

from stoculus.calendar import NEW_YORK
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import Live, as_streamed, whole
from tests.integration.services.harness import until

pytestmark = pytest.mark.chaos

HALF_DAY = date(2023, 11, 24)
CONTRACTS = ["IWM   231201P00065500", "IWM   231201C00068000"]


@pytest.fixture(scope="module")
def live(running: Running) -> Iterator[Live]:
    """A half day that is played to its end."""
    with running(sim_live_date=HALF_DAY, sim_live_speed=3000) as live:
        live.want("other", {"asset": "stock", "ticker": "KO", "schema": "trade"})
        feeds: list[dict[str, Any]] = [
            {"asset": "stock", "ticker": "MCD", "schema": "trade"},
            {"asset": "stock", "ticker": "MCD", "schema": "ohlcv1h"},
            {"asset": "option", "root": "IWM", "contracts": CONTRACTS, "schema": "ohlcv1m"},
        ]
        live.want("bound", *feeds, session="regular")
        live.wait_until_played()
        until(lambda: (live.status("bound") or {})["state"] == "closed", "the session is over")
        yield live


@pytest.mark.parametrize(
    ("topic", "record", "task"),
    [
        ("stock-mcd-trade-live", "StockTrade", {"ticker": "MCD", "schema": "trade"}),
        ("stock-mcd-ohlcv1h-live", "StockOhlcv", {"ticker": "MCD", "schema": "ohlcv1h"}),
        (
            "option-iwm-ohlcv1m-live",
            "OptionOhlcv",
            {"root": "IWM", "contracts": CONTRACTS, "schema": "ohlcv1m"},
        ),
    ],
)
def test_a_topic_holds_the_session_of_the_half_day(
    live: Live, history: History, topic: str, record: str, task: dict[str, str]
) -> None:
    program = f"historical_{topic.split('-')[0]}"
    days = {"start": str(HALF_DAY), "end": str(HALF_DAY), "session": "regular"}
    expected = as_streamed(history(live.simulator.url, program, **task, **days), record)

    assert whole(live.records(topic)) == expected
    assert len(expected) > 3


def test_the_service_subscribes_before_the_open_and_ends_it_after_the_close(live: Live) -> None:
    ends = {}
    for topic in ("stock-mcd-trade-live", "option-iwm-ohlcv1m-live"):
        events = live.events(topic)
        assert [event.kind for event in events] == ["subscribed", "unsubscribed"] * (len(events) // 2)
        assert events[-1].until_us is not None
        ends[topic] = from_us(events[-1].until_us)

    assert time(13) < ends["stock-mcd-trade-live"]
    assert time(13, 15) < ends["option-iwm-ohlcv1m-live"]


def from_us(us: int) -> time:
    return datetime.fromtimestamp(us / 1e6, NEW_YORK).time()
