"""What else may happen to live streams: each other stream goes on, and no watermark lies."""

from collections.abc import Iterator
from datetime import date

import pytest

from services.live_stream.bars.grid import midnight_us
from stoculus.kafka import admin
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import AFTER_THE_LAST_US, Live, as_streamed, whole
from tests.integration.services.harness import until

pytestmark = pytest.mark.chaos

DAY = date(2024, 1, 3)
CALL, PUT = "XSP   240105C00470000", "XSP   240105P00470000"
SPEED = 1500
RECORDS = {"quote": "OptionQuote", "trade": "OptionTrade", "ohlcv1m": "OptionOhlcv"}


def trades_of(ticker: str) -> dict[str, str]:
    return {"asset": "stock", "ticker": ticker, "schema": "trade"}


def options(contract: str) -> list[dict[str, object]]:
    return [{"asset": "option", "root": "XSP", "contracts": [contract], "schema": schema} for schema in RECORDS]


@pytest.fixture
def live(running: Running) -> Iterator[Live]:
    """A day that takes a minute."""
    with running(sim_live_date=DAY, sim_live_speed=SPEED) as live:
        yield live


def test_a_topic_that_is_deleted_and_made_again_begins_anew_and_holds_up_no_other(running: Running) -> None:
    with running(sim_live_date=DAY, sim_live_speed=SPEED / 4) as live:
        [kept] = live.want("kept", trades_of("UPS"))
        [gone] = live.want("gone", trades_of("FDX"))
        before = until(lambda: live.watermark(gone), "it has begun")
        until(lambda: len(live.records(gone)) > 10, "some records")
        admin.delete_topics(admin.connect(live.broker.kafka), [gone])
        at = until(lambda: live.watermark(kept), "the other one has begun")
        live.wait_until_complete(kept, at.complete_until_us + 1_800_000_000)
        admin.create_topics(admin.connect(live.broker.kafka), [gone], admin.DATA_CONFIG)
        until(
            lambda: (mark := live.watermark(gone)) and mark.complete_from_us > before.complete_from_us and mark,
            "it begins anew",
        )


def test_contracts_that_are_added_to_a_topic_are_whole_from_when_they_are_told_of(live: Live, history: History) -> None:
    live.want("first", *options(CALL))
    until(lambda: (live.played()["position"] or "").zfill(15) > "10", "it is ten o'clock")
    topics = live.want("second", *options(PUT))
    live.wait_until_played()
    for topic in topics:
        schema = topic.split("-")[2]
        live.wait_until_complete(topic, midnight_us(DAY) + AFTER_THE_LAST_US)
        added = [event.from_us for event in live.events(topic) if event.kind == "subscribed"][-1]
        assert added is not None
        task = {"root": "XSP", "contracts": [PUT], "schema": schema, "start": str(DAY), "end": str(DAY)}
        asked = as_streamed(history(live.simulator.url, "historical_option", **task), RECORDS[schema])
        expected = [row for row in asked if row[2] * 1000 >= added]
        found = [row for row in whole(live.records(topic)) if row[0] == PUT.encode()]

        assert expected
        assert sorted(row for row in found if row[2] * 1000 >= added) == sorted(expected), live.events(topic)
