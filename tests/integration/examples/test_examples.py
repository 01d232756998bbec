"""The examples as a user runs them, on a running suite."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from confluent_kafka import Producer

import stoculus
from stoculus import connections
from stoculus.kafka import admin
from stoculus.kafka.registry import connect, lookup_id
from stoculus.records import codec, framing
from stoculus.records.catalog import record_type
from tests.conftest import CHECKOUT
from tests.unit.stoculus.plot.made import MINUTE_US, opens_us, records

EXAMPLES = CHECKOUT / "examples"
NEW_YORK = ZoneInfo("America/New_York")


class Broker(Protocol):
    """The fixture `broker`."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def kafka(self) -> connections.Kafka: ...


class Registry(Protocol):
    """The fixture `registry`."""

    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


@pytest.fixture(scope="module", autouse=True)
def _stack(broker: Broker, registry: Registry, coordinator_url: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOCULUS_KAFKA_BOOTSTRAP", broker.bootstrap)
        patch.setenv("STOCULUS_REGISTRY_URL", registry.url)
        patch.setenv("STOCULUS_COORDINATOR_URL", coordinator_url)
        yield


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The notebook with its outputs."""
    # Six seconds of imports, which every worker would pay for when it collects.
    import nbformat
    from nbclient import NotebookClient

    read = nbformat.read(EXAMPLES / "mean_reversion.ipynb", 4)  # type: ignore[no-untyped-call]
    NotebookClient(read, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    return read


def outputs(notebook: Any, kind: str) -> list[str]:
    """What its cells have shown of a media type."""
    shown = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return [output["data"][kind] for output in shown if kind in output.get("data", {})]


def script(name: str, *arguments: str) -> list[str]:
    """The lines that a script prints."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    run = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_notebook_is_committed_without_outputs() -> None:
    text = (EXAMPLES / "mean_reversion.ipynb").read_text()
    cells = json.loads(text)["cells"]

    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert len(text) < 20_000


def test_the_notebook_runs_from_top_to_bottom(notebook: Any) -> None:
    assert len(outputs(notebook, "image/png")) == 3
    events, result = outputs(notebook, "text/plain")[2], outputs(notebook, "text/plain")[3]
    bars = [line for line in events.splitlines() if "StockOhlcv" in line]
    assert all("09:31:00" in line and "14:30:00" in line for line in bars)
    assert len(bars) == 2
    fills = {line.split()[0]: float(line.split()[1]) for line in result.splitlines()[1:]}
    assert fills["AAPL"] + fills["MSFT"] == fills["both"] > 10


def test_costs_are_what_spread_and_commission_make(notebook: Any) -> None:
    *_, both = outputs(notebook, "text/plain")[3].splitlines()
    _, fills, before, costs, after = both.split()

    assert float(before) - float(costs) == pytest.approx(float(after), abs=0.011)
    assert 0.01 < float(costs) / float(fills) / 100 < 0.03  # USD a share: half a spread of some cents, and 0.005


@pytest.mark.usefixtures("notebook")
def test_a_plain_client_sees_the_same_events() -> None:
    topics = [f"stock-aapl-{schema}-historical-mean-reversion" for schema in ("ohlcv1m", "quote1s")]
    expected = []
    with stoculus.merge("mean-reversion", topics=topics, end="2024-01-02") as events:
        for at, topic, record in events:
            if topic == topics[1]:
                quote = record
            else:
                told = f"close {record.close:.2f}, quote {quote.bid:.2f} / {quote.ask:.2f}"
                expected.append(f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} AAPL {told}")

    assert script("plain_client.py") == expected
    assert len(expected) == 390


def test_a_live_feed_tells_what_was_traded(broker: Broker, registry: Registry) -> None:
    topic = f"stock-aapl-trade-live-{uuid4().hex}"
    trade = record_type("StockTrade")
    admin.create_topics(admin.connect(broker.kafka), [topic], admin.DATA_CONFIG)
    with connect(registry.connection) as client:
        header = framing.header(lookup_id(client, trade, registry.url))
    times = [opens_us() + n * MINUTE_US for n in range(4)]
    batch = records("StockTrade", times, symbol="AAPL", price=[100.0, 102.0, 110.0, 110.0], size=[100, 100, 50, 50])
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})
    for body in codec.encode(batch, trade).to_pylist():
        producer.produce(topic, header + (body or b""), "AAPL")
    producer.flush()

    lines = script("live_feed.py", topic, "--group", uuid4().hex, "--limit", "4")

    assert lines[-1].startswith("14:33:00.000000 UTC AAPL: ")
    assert lines[-1].endswith("; 300 shares, VWAP 104.0000, last 110.00")
