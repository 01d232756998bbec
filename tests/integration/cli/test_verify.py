import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from stoculus.kafka import admin

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def addresses(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", suite.coordinator_url)
    for name in ("STOCULUS_THETA_URL", "STOCULUS_THETA_TIER", "STOCULUS_SPILL_DIR"):
        monkeypatch.setenv(name, suite.live_stream.environment[name])


def test_a_completed_backtest_holds_by_the_topics_and_by_the_vendor(stoculus: Run) -> None:
    chain = ("--root", "SPXW", "--expirations", "2024-01-05", "--strikes", "4700:4710")
    window = ("--schema", "quote", "--interval", "1h", "--start", "2024-01-04", "--end", "2024-01-05")
    stoculus("backtest", "submit", "--symbols", "AAPL", *chain, *window, "--id", "sound", "--wait")

    code, out, err = stoculus("verify", "sound")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("Backtest sound (completed): ")
    assert out.splitlines()[-1].endswith("in 2 topics; all holds.")

    code, out, err = stoculus("verify", "sound", "--against-source", "--json")
    told = json.loads(out)
    assert (code, err, told["holds"]) == (0, "", True)
    assert [topic["faults"] for topic in told["topics"]] == [[], []]
    assert told["topics"][0]["records"] == sum(told["topics"][0]["days"].values()) == 14

    [alone] = json.loads(stoculus("verify", "sound", "--topic", told["topics"][1]["topic"], "--json")[1])["topics"]
    assert alone == told["topics"][1]


def test_what_does_not_hold_is_told_and_ends_with_code_1(stoculus: Run, broker: Any) -> None:
    stoculus("backtest", "submit", "--symbols", "AAPL", "--start", "2024-01-02", "--id", "cut", "--wait")
    client = admin.connect(broker.kafka)
    [deleted] = client.delete_records([TopicPartition("stock-aapl-ohlcv1m-historical-cut", 0, 90)]).values()
    deleted.result(30)

    code, out, _ = stoculus("verify", "cut")

    assert code == 1
    assert "  retention: the topic begins at offset 90, records before it are gone." in out.splitlines()
    assert "2024-01-02: the day has 300 records, the receipt counts 390: 90 are missing." in out


def test_a_cancelled_backtest_does_not_hold(stoculus: Run) -> None:
    selection = ("--symbols", "AAPL", "--schema", "quote", "--start", "2023-01-03", "--end", "2023-12-29")
    stoculus("backtest", "submit", *selection, "--id", "dropped")
    stoculus("backtest", "cancel", "dropped")
    stoculus("backtest", "watch", "dropped")

    code, out, _ = stoculus("verify", "dropped")

    assert code == 1
    assert "  cancelled  " in out
    assert out.splitlines()[-1].endswith("not complete, in 1 of the topics.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("never-submitted",), "There is no backtest never-submitted on the broker"),
        (("No Such Id",), "is not a backtest id"),
        (("sound", "--topic", "stock-nope"), "'stock-nope' is no topic of backtest sound"),
    ],
)
def test_what_cannot_be_checked_is_an_error(stoculus: Run, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = stoculus("verify", *arguments)

    assert (code, out) == (1, "")
    assert told in err
    assert "try: " in err
