"""`stoculus stream` and `stoculus tape` on a day that the simulator plays."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.cli.conftest import Suite

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def live_stream(suite: Suite) -> Iterator[None]:
    """The live service runs for these tests alone: one instance writes on a broker."""
    suite.supervisor.start(suite.live_stream)
    yield
    suite.supervisor.stop(suite.live_stream.name)


@pytest.fixture(autouse=True)
def coordinator(coordinator_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", coordinator_url)


def stopped(stoculus: Run, stream_id: str) -> bool:
    """Stop a stream and wait until it is gone."""
    code, out, _ = stoculus("stream", "stop", stream_id)
    while stoculus("stream", "show", stream_id)[0] == 0:
        time.sleep(0.1)
    return (code, out) == (0, f"Stream {stream_id} is stopping. Its topics stay.\n")


def test_a_chain_is_on_the_tape_as_it_happens(stoculus: Run) -> None:
    chain = ("--root", "SPXW", "--dte", "0", "--strikes", "4700:4710", "--schema", "quote")

    code, out, _ = stoculus("stream", "start", *chain, "--id", "chain")
    assert (code, out.splitlines()[1]) == (0, "  option-spxw-quote-live")

    lines = stoculus("tape", "option-spxw-quote-live", "--last", "6", "--limit", "12")[1].splitlines()
    assert len(lines) == 12
    assert all(line.startswith("2024-01-03 09:3") and " SPXW 2024-01-03 47" in line for line in lines)
    while (listed := json.loads(stoculus("stream", "list", "--json")[1])[0])["state"] != "running":
        time.sleep(0.1)
    assert (listed["stream_id"], listed["topics"][0]["subscriptions"]) == ("chain", 6)
    assert stopped(stoculus, "chain")


def test_a_stream_is_started_once_and_shown_until_it_is_stopped(stoculus: Run) -> None:
    trades = ("stream", "start", "--symbols", "AAPL", "--schema", "trade", "--id", "trades")
    assert [stoculus(*trades)[0] for _ in range(2)] == [0, 0]

    code, _, err = stoculus(*trades, "--session", "regular")
    assert (code, "session" in err) == (1, True)

    objects = stoculus("tape", "stock-aapl-trade-live", "--limit", "5", "--json")[1].splitlines()
    assert {json.loads(line)["symbol"] for line in objects} == {"AAPL"}
    while "Stream trades: running, session always." not in (shown := stoculus("stream", "show", "trades")[1]):
        time.sleep(0.1)
    assert "stock-aapl-trade-live" in shown
    assert stopped(stoculus, "trades")


@pytest.mark.parametrize(
    ("selection", "field"),
    [
        (("--symbols", "AAPL,NOSUCH1", "--schema", "trade"), "data[0].symbols[1]"),
        (("--symbols", "AAPL", "--schema", "eod"), "data[0].schema"),
        (("--symbols", "AAPL", "--schema", "quote", "--interval", "1m"), "data[0].interval"),
        (("--root", "SPXV", "--dte", "0", "--schema", "quote"), "data[0].root"),
        (("--symbols", "AAPL", "--schema", "trade", "--warmup", "2h"), "warmup"),
    ],
)
def test_a_refusal_names_field_and_remedy(stoculus: Run, selection: tuple[str, ...], field: str) -> None:
    code, out, err = stoculus("stream", "start", *selection)

    assert (code, out) == (1, "")
    assert f"where: {field}" in err
    assert "try: " in err
