"""A stream through the API with the real live service, on a simulator that plays a day."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Broker, Registry
from tests.integration.coordinator.stack import Stack, running_stack, until
from tests.integration.live.harness import running_live

NOBODY = "http://127.0.0.1:9"
TOPIC = "stock-ibm-trade-live"


def trades(stack: Stack, symbol: str = "IBM", **body: Any) -> httpx2.Response:
    data = [{"asset": "stock", "symbols": [symbol], "schema": "trade"}]
    return stack.api.post("/v1/streams", json={"stream_id": "tape", "data": data} | body)


def flowing(stack: Stack) -> dict[str, Any]:
    """The topic of the stream, as soon as it runs and records have come."""

    def seen() -> dict[str, Any] | None:
        stream = stack.api.get("/v1/streams/tape").raise_for_status().json()
        topic: dict[str, Any] = stream["topics"][0]
        comes = stream["state"] == "running" and topic["records"] and topic["complete_from"] < topic["complete_until"]
        return topic if comes else None

    found: dict[str, Any] = until(seen, "it runs and records come")
    return found


@pytest.mark.chaos
def test_a_stream_outlives_its_service_and_ends_when_it_is_deleted(
    broker: Broker, registry: Registry, tmp_path: Path
) -> None:
    with running_live(broker, registry, tmp_path, sim_live_date="2024-01-02", sim_live_speed=60) as live:
        service = f"http://127.0.0.1:{live.service.port}"
        with running_stack(broker, registry.url, NOBODY, tmp_path, STOCULUS_LIVE_STREAM_URL=service) as stack:
            stack.coordinator.start()

            wrong = trades(stack, "NOSUCHSYMBOL")
            assert (wrong.status_code, wrong.json()["field"]) == (422, "data[0].symbols[0]")
            assert trades(stack).status_code == 202
            before = flowing(stack)

            live.service.kill9()
            until(lambda: stack.api.get("/v1/streams/tape").json()["state"] == "waiting", "the service is missed")
            live.service.start()
            until(lambda: flowing(stack)["complete_until"] > before["complete_until"], "the gap is healed")
            assert flowing(stack)["complete_from"] == before["complete_from"]

            again = trades(stack, stream_id="again", warmup="1d")
            assert (again.status_code, again.json()["field"]) == (409, "warmup")
            assert stack.api.delete("/v1/streams/tape").json()["state"] == "stopping"
            until(lambda: stack.api.get("/v1/streams/tape").status_code == 404, "it is gone")
            assert live.status("tape") is None
            assert TOPIC in stack.topics()
