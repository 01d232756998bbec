"""History first, then the tape, on one topic: no hole and no duplicate at the seam."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby

import pytest

from services.live_stream.bars.grid import midnight_us
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import AFTER_THE_LAST_US, Live, as_streamed, whole
from tests.integration.services.harness import until

pytestmark = pytest.mark.chaos

DAY, DAY_BEFORE = date(2024, 1, 3), date(2024, 1, 2)
CHAIN = {"root": "SPXW", "contracts": ["SPXW  240105C04700000", "SPXW  240105P04700000"]}
RECORDS = {"quote": "Quote", "trade": "Trade", "ohlcv1m": "Ohlcv"}


@pytest.fixture(scope="module")
def live(running: Running) -> Iterator[Live]:
    """Streams that begin in the middle of the morning."""
    with running(sim_live_date=DAY, sim_live_speed=3000) as live:
        live.want("other", {"asset": "stock", "ticker": "KO", "schema": "trade"})
        until(lambda: (live.played()["position"] or "").zfill(15) > "10", "it is ten o'clock")
        stocks = [{"asset": "stock", "ticker": "PEP", "schema": schema} for schema in RECORDS]
        options = [{"asset": "option", **CHAIN, "schema": schema} for schema in RECORDS]
        live.want("warm", *stocks, *options, warmup="1d")
        live.wait_until_played()
        yield live


@pytest.mark.parametrize("schema", list(RECORDS))
@pytest.mark.parametrize("asset", ["stock", "option"])
def test_a_topic_holds_two_days_once_and_in_order(live: Live, history: History, asset: str, schema: str) -> None:
    topic = f"{asset}-{'pep' if asset == 'stock' else 'spxw'}-{schema}-live"
    mark = live.wait_until_complete(topic, midnight_us(DAY) + AFTER_THE_LAST_US)
    what = {"ticker": "PEP"} if asset == "stock" else CHAIN
    asked = history(
        live.simulator.url, f"historical_{asset}", **what, schema=schema, start=str(DAY_BEFORE), end=str(DAY)
    )
    records = live.records(topic)

    assert sorted(whole(records)) == sorted(as_streamed(asked, asset.capitalize() + RECORDS[schema]))
    times = [record.time_ms for record in records]
    assert times == sorted(times)
    assert mark.complete_from_us == midnight_us(DAY_BEFORE)
    assert [origin for origin, _ in groupby(record.origin for record in records)] == ["warmup", "live"]


def test_an_event_tells_of_the_seam(live: Live) -> None:
    topic = "stock-pep-quote-live"
    live.wait_until_complete(topic, midnight_us(DAY) + AFTER_THE_LAST_US)
    [seam] = [event for event in live.events(topic) if event.kind == "seam"]
    records = live.records(topic)

    assert (seam.first_offset, seam.from_us) == (0, midnight_us(DAY_BEFORE))
    assert seam.last_offset is not None
    assert seam.records == seam.last_offset + 1
    assert seam.until_us is not None
    assert records[seam.last_offset].time_ms * 1000 < seam.until_us <= records[seam.last_offset + 1].time_ms * 1000
    assert (records[seam.last_offset].origin, records[seam.last_offset + 1].origin) == ("warmup", "live")
