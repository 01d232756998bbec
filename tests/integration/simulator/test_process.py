"""The simulator as a program."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from simulator.testing import running_simulator

DAY = {"symbol": "AAPL", "date": "20240103"}


EOD = "/v3/stock/history/eod"
DAYS = {"symbol": "AAPL", "start_date": "20240102", "end_date": "20240105"}


@pytest.fixture(scope="module")
def free_terminal() -> Iterator[str]:
    """One request at a time, two wait."""
    with running_simulator(sim_tier="free", sim_queue_length=2) as url:
        yield url


def test_a_free_account_gets_eod_alone_and_of_its_years(free_terminal: str) -> None:
    refused = httpx2.get(f"{free_terminal}/v3/stock/history/trade", params=DAY)
    allowed = httpx2.get(free_terminal + EOD, params=DAYS)
    too_early = httpx2.get(free_terminal + EOD, params={**DAYS, "start_date": "20230531", "end_date": "20230630"})

    assert (refused.status_code, allowed.status_code, too_early.status_code) == (403, 200, 403)
    assert "requiring a standard subscription, but you only have a FREE" in refused.text


def test_requests_beyond_cap_and_queue_are_429(free_terminal: str) -> None:
    async def scenario() -> None:
        async with httpx2.AsyncClient(base_url=free_terminal, timeout=60) as client:
            await client.delete("/__requests")
            await client.post("/__faults", json={"fault": {"kind": "silent", "seconds": 60}, "times": 3})
            held = [asyncio.create_task(client.get(EOD, params=DAYS)) for _ in range(3)]
            while (await client.get("/__requests")).json()["total"] < 3:
                pass

            assert (await client.get(EOD, params=DAYS)).status_code == 429
            assert (await client.get("/v3/terminal/mdds/status")).text == "CONNECTED"

            for task in held:
                task.cancel()

    asyncio.run(scenario())


def test_an_abandoned_request_keeps_its_slot() -> None:
    with running_simulator(sim_tier="free", sim_queue_length=0) as url:
        httpx2.post(f"{url}/__faults", json={"fault": {"kind": "silent", "seconds": 30}, "times": 1})
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.get(url + EOD, params=DAYS, timeout=0.2)

        assert httpx2.get(url + EOD, params=DAYS).status_code == 429


def test_the_clock_can_be_set_at_the_start() -> None:
    with running_simulator(sim_clock="2015-12-24T12:00:00") as url:
        assert '"early_close","09:30:00","13:00:00"' in httpx2.get(f"{url}/v3/calendar/today").text


def test_depth_does_not_bind_recordings(recordings: Path) -> None:
    with running_simulator(sim_recordings=recordings, sim_tier="free") as url:
        query = {"symbol": "SPY", "start_date": "19980102", "end_date": "19980131"}
        assert httpx2.get(f"{url}/v3/stock/history/eod", params=query).status_code == 200


def test_shutdown_says_ok_and_ends_the_process() -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--ws-port", "0", "--tier", "value"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("Simulator ready: ").strip()
        assert httpx2.get(f"{url}/v3/terminal/shutdown").text == "OK"
        assert process.wait() == 0
        watchdog.cancel()


def test_a_wrong_folder_is_told_with_the_remedy(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--ws-port", "0", "--recordings", str(tmp_path)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert "holds no recordings" in ended.stderr
    assert "equity/usa" in ended.stderr


def test_a_port_that_is_taken_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "simulator", "--port", "0", "--ws-port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert "STOCULUS_SIM_WS_PORT" in ended.stderr
