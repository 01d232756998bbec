"""One instance writes; another one takes over."""

from collections import Counter
from datetime import date

import pytest

from services.live_stream.bars.grid import midnight_us
from stoculus.streams import StreamSpec
from tests.conftest import free_ports
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import AFTER_THE_LAST_US, whole
from tests.integration.services.harness import Service, until

pytestmark = pytest.mark.chaos

DAY = date(2024, 1, 3)
FEED = {"asset": "stock", "ticker": "WMT", "schema": "quote"}


def test_a_second_instance_waits_and_goes_on_when_the_first_is_killed(running: Running, history: History) -> None:
    with running(sim_live_date=DAY, sim_live_speed=3000) as live:
        spec = StreamSpec.model_validate({"stream_id": "tape", "feeds": [FEED]})
        [topic] = live.want("tape", FEED)
        until(lambda: (live.status("tape") or {})["state"] != "waiting", "the first instance holds the lease")
        [port] = free_ports(1)
        environment = live.service.environment | {"STOCULUS_LIVE_STREAM_PORT": str(port)}
        other = Service("services.live_stream", environment, port, live.service.log.with_suffix(".other")).start()
        try:
            answer = other.http.put("/v1/streams/tape", json=spec.model_dump(mode="json", by_alias=True))
            assert answer.json()["state"] == "waiting"
            until(lambda: live.played()["ticks_sent"] > 500, "the tape plays")
            assert "holds the lease" in other.http.get("/v1/streams/tape").json()["reason"]

            live.service.kill9()
            live.wait_until_played()
            live.wait_until_complete(topic, midnight_us(DAY) + AFTER_THE_LAST_US)
            task = {"ticker": "WMT", "schema": "quote", "start": str(DAY), "end": str(DAY)}
            expected = history(live.simulator.url, "historical_stock", **task)

            assert Counter(whole(live.records(topic))) == Counter(expected)
            assert {"gap", "healed"} <= {event.kind for event in live.events(topic)}
        finally:
            other.close()
