"""The live service and its terminal: one of its own, and one that is kicked out."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from simulator.testing import running_simulator
from tests.conftest import Broker
from tests.integration.live.conftest import Running
from tests.integration.live.harness import Live
from tests.integration.services.conftest import ServiceOf
from tests.integration.services.harness import Simulator, until
from tests.standin.terminal import boxed

pytestmark = pytest.mark.chaos

DAY = "2024-01-03"
TRADES = {"asset": "stock", "ticker": "UPS", "schema": "trade"}


def test_it_streams_by_way_of_a_terminal_of_its_own(
    standin_jar: Path, tmp_path: Path, new_service: ServiceOf, broker: Broker
) -> None:
    with (
        boxed(tmp_path / "terminal", standin_jar) as box,
        running_simulator(sim_live_date=DAY, sim_live_speed=600) as url,
    ):
        stream = urlsplit(httpx2.get(f"{url}/__stream", trust_env=False).json()["url"]).netloc
        box.script(upstream=url, upstream_stream=stream)
        nowhere = {"theta_stream_url": "ws://127.0.0.1:1", "live_date": DAY, "theta_mode": "embedded"}
        service = new_service("http://127.0.0.1:1", "live_stream", **nowhere, **box.settings()).start()
        live = Live(service, Simulator(url), broker)
        [topic] = live.want("own", TRADES)
        until(lambda: len(live.records(topic)) > 100, "records")

        assert service.metric("stoculus_terminal_starts_total") == 1
        begun = time.monotonic()
        assert service.end() == 0
        assert time.monotonic() - begun < 20  # 8 where nothing else runs
        assert box.processes == []


def test_one_whose_terminal_is_kicked_out_says_so_and_goes_on_by_itself(running: Running) -> None:
    with running(sim_live_date=DAY, sim_live_speed=600) as live:
        [topic] = live.want("kicked", TRADES)
        before = until(lambda: live.watermark(topic), "it has begun")
        live.simulator.fault("another_login")
        told = until(live.service.not_ready, "it is not ready")
        assert "another terminal" in told.lower()
        assert live.service.metric("stoculus_vendor_session_taken") == 1
        assert live.status("kicked") is not None

        live.simulator.heal()
        until(lambda: live.service.not_ready() is None, "it is ready again")
        assert live.service.metric("stoculus_vendor_session_taken") == 0
        live.wait_until_complete(topic, before.complete_until_us + 1_200_000_000)
