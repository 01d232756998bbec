"""Backtests that hold options: with stocks under one id, errors at the request's fields, one service away."""

import csv
import io
import json
import signal
from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx2
import orjson
import pyarrow as pa
import pytest

from stoculus.kafka.compacted import CompactedLog
from tests.integration.coordinator.stack import Stack, request, until

BARS = {"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"}
CHAIN = {
    "asset": "option",
    "root": "SPXW",
    "schema": "quote",
    "interval": "30m",
    "expirations": ["2024-01-05"],
    "strikes": {"min": 4650, "max": 4750},
}
SLOW = {"kind": "slow", "bytes_per_s": 3_000}
AT_CHAINS = {"path": "option/history/quote"}


def chain(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (CHAIN | changes).items() if value is not None}


def lines(content: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in content.splitlines()]


def in_market_order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["ts_event"], row["expiration"], row["strike"], row["right"] == "PUT"


def test_one_id_holds_stocks_and_chains_from_post_to_receipt(stack: Stack) -> None:
    submitted = stack.submit(backtest_id="mixed", data=[BARS, chain(), chain(schema="eod", interval=None)])
    done = stack.wait_for("mixed", "completed", "failed")

    assert submitted["topics"] == [
        "stock-aapl-ohlcv1m-historical-mixed",
        "option-spxw-quote30m-historical-mixed",
        "option-spxw-eod-historical-mixed",
    ]
    assert done["state"] == "completed", done
    assert [(task["symbol"], task["schema"]) for task in done["tasks"]] == [
        ("AAPL", "ohlcv1m"),
        ("SPXW", "quote30m"),
        ("SPXW", "eod"),
    ]
    receipts = stack.api.get("/v1/backtests/mixed/receipt").raise_for_status().json()["receipts"]
    assert all(receipt["records"] > 0 for receipt in receipts)
    manifest = until(lambda: manifest_of(stack, "mixed", "completed"), "the manifest says completed")
    assert [(topic["record"], topic["feed"]) for topic in manifest["topics"]] == [
        ("io.stoculus.StockOhlcv", "SIP consolidated tape"),
        ("io.stoculus.OptionQuote", "OPRA"),
        ("io.stoculus.OptionEod", "OPRA"),
    ]


def manifest_of(stack: Stack, backtest_id: str, state: str) -> dict[str, Any] | None:
    log = CompactedLog(stack.broker.kafka, "stoculus.backtests")
    try:
        value = json.loads(dict(log.read_past_ends()).get(backtest_id) or b"{}")
    finally:
        log.close()
    return value if value.get("state") == state else None


def test_records_of_a_chain_are_read_in_every_format_in_the_markets_order(stack: Stack) -> None:
    stack.submit(backtest_id="chain", data=[chain()])
    done = stack.wait_for("chain", "completed", "failed")
    at = "/v1/backtests/chain/records?limit=5000"

    rows = lines(stack.api.get(at).content)
    assert len(rows) == done["records"] > 0
    assert rows == sorted(rows, key=in_market_order)
    first = rows[0]
    assert (first["root"], first["expiration"]) == ("SPXW", "2024-01-05")
    assert {row["right"] for row in rows} == {"CALL", "PUT"}
    assert first["symbol"] == f"SPXW  240105{first['right'][0]}{round(first['strike'] * 1000):08d}"
    table = list(csv.DictReader(io.StringIO(stack.api.get(at, headers={"accept": "text/csv"}).text)))
    assert [(r["symbol"], r["expiration"], r["right"], float(r["strike"])) for r in table] == [
        (r["symbol"], r["expiration"], r["right"], r["strike"]) for r in rows
    ]
    arrow = stack.api.get(at, headers={"accept": "application/vnd.apache.arrow.stream"})
    batch = pa.ipc.open_stream(arrow.content).read_all()
    assert batch["expiration"].to_pylist() == [date.fromisoformat(row["expiration"]) for row in rows]
    assert batch["right"].to_pylist() == [row["right"] for row in rows]
    later = lines(stack.api.get(f"{at}&from=2024-01-02T12:00").content)
    assert later == [row for row in rows if row["ts_event"] >= "2024-01-02T17:00:00Z"]


def test_contracts_named_one_by_one_fill_a_topic_for_each_root(stack: Stack) -> None:
    named = ["AAPL240105C00200000", "SPXW  240105P04700000", "SPXW  240105C04700000"]
    data = [{"asset": "option", "schema": "eod", "contracts": named}]
    submitted = stack.submit(backtest_id="by-contract", data=data)

    assert submitted["topics"] == ["option-aapl-eod-historical-by-contract", "option-spxw-eod-historical-by-contract"]
    assert stack.wait_for("by-contract", "completed", "failed")["state"] == "completed"
    page = stack.api.get("/v1/backtests/by-contract/records", params={"topic": submitted["topics"][1]})
    assert [row["symbol"] for row in lines(page.content)] == ["SPXW  240105C04700000", "SPXW  240105P04700000"]
    again = stack.submit(
        backtest_id="by-contract", data=[data[0] | {"contracts": [one.lower() for one in reversed(named)]}]
    )
    assert again["created_at"] == submitted["created_at"]


def test_empty_bars_of_a_chain_are_kept_where_they_are_asked_for(stack: Stack) -> None:
    data = [chain(schema="ohlcv", interval="1h", strikes=[4700], right="call")]
    stack.submit(backtest_id="sparse", data=data)
    stack.submit(backtest_id="dense", data=data, keep_empty_bars=True)

    sparse, dense = (stack.wait_for(one, "completed", "failed")["tasks"][0] for one in ("sparse", "dense"))

    assert dense["empty_bars"] == 0
    assert dense["records"] == sparse["records"] + sparse["empty_bars"]


def test_an_estimate_says_how_the_vendor_will_be_asked(stack: Stack) -> None:
    answer = stack.api.post("/v1/backtests:estimate", json=request(data=[BARS, chain()]))

    estimate = answer.raise_for_status().json()
    assert [task["task_id"] for task in estimate["tasks"]] == estimate["topics"]
    assert estimate["rows"] == sum(task["rows"] for task in estimate["tasks"])
    assert (
        estimate["notes"]
        == [f"{task['task_id']}: {note}" for task in estimate["tasks"] for note in task["notes"]]
        != []
    )


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        ([BARS, chain(root="SPXQX")], "data[1].root", "SPX"),
        ([BARS, chain(expirations=["2024-01-05", "2024-01-06"])], "data[1].expirations", "nearest"),
        ([BARS, chain(expirations=["2023-12-29"])], "data[1].expirations", "later expirations"),
        ([BARS, chain(strikes=[4700, 4700.5])], "data[1].strikes", "4700.5"),
        ([chain(root="AAPL", strikes="all"), {**BARS, "symbols": ["AAPL", "NOSUCH"]}], "data[1].symbols[1]", "NOSUCH"),
        (
            [{"asset": "option", "schema": "eod", "contracts": ["SPXW  240105C04700000", "AAPL  240105C00187770"]}],
            "data[0].contracts[1]",
            "187.77",
        ),
        ([chain(expirations=[20240105])], "data[0].expirations[0]", "2024-01-02"),
        ([chain(expirations={"dte": {"max": 7, "mn": 1}})], "data[0].expirations.dte.mn", "min"),
        ([chain(symbols=["SPXW"])], "data[0].symbols", "known are"),
        ([chain(), chain(strikes=[4700])], "data[1].root", "data[0].root"),
    ],
)
def test_what_is_wrong_with_a_chain_is_told_at_its_field(
    stack: Stack, data: list[dict[str, Any]], field: str, says: str
) -> None:
    answer = stack.api.post("/v1/backtests", json=request(backtest_id="wrong", data=data))

    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text
    assert says in answer.json()["detail"] + answer.json()["remedy"]
    assert answer.json()["remedy"]
    assert stack.api.get("/v1/backtests/wrong").status_code == 404


def away(stack: Stack) -> list[str]:
    """The services that the coordinator misses."""
    return [text.split()[2] for text in stack.api.get("/readyz").json().get("remarks", [])]


@pytest.mark.chaos
def test_without_the_option_service_stocks_go_on(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()

    own_stack.submit(backtest_id="stocks")
    assert own_stack.wait_for("stocks", "completed", "failed")["state"] == "completed"
    refused = own_stack.api.post("/v1/backtests", json=request(backtest_id="later", data=[BARS, chain()]))
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert "historical-option" in refused.json()["detail"]
    ready = own_stack.api.get("/readyz")
    assert ready.status_code == 200
    assert away(own_stack) == ["historical-option", "live-stream"]
    metrics = own_stack.api.get("/metrics").text
    assert 'stoculus_service_away{service="historical-option"} 1.0' in metrics
    assert 'stoculus_service_away{service="historical-stock"} 0.0' in metrics
    assert own_stack.api.delete("/v1/backtests/stocks").json()["state"] == "deleted"

    own_stack.options.start()
    own_stack.submit(backtest_id="later", data=[BARS, chain()])
    assert own_stack.wait_for("later", "completed", "failed")["state"] == "completed"
    until(lambda: away(own_stack) == ["live-stream"], "but for streams nothing is amiss")


@pytest.mark.chaos
def test_a_mixed_backtest_goes_on_with_its_stocks_while_the_option_service_hangs_and_dies(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.options.start()
    own_stack.coordinator.start()
    own_stack.fault(match=AT_CHAINS, times=1, fault=SLOW)
    own_stack.submit(backtest_id="half", data=[BARS, chain()])
    until(own_stack.struck, "the chain is on its way")

    assert own_stack.options.running
    own_stack.options.running.send_signal(signal.SIGSTOP)

    own_stack.submit(backtest_id="meanwhile")
    assert own_stack.wait_for("meanwhile", "completed", "failed")["state"] == "completed"
    until(lambda: state_of(own_stack, "half", 0) == "completed", "the stocks are complete")
    waiting = until(lambda: own_stack.show("half")["tasks"][1]["waiting"], "it says what it waits for")
    assert "historical-option" in waiting
    assert own_stack.show("half")["state"] == "running"
    assert own_stack.coordinator.answers("/readyz")
    own_stack.options.kill9()
    own_stack.options.start()
    done = own_stack.wait_for("half", "completed", "failed")
    assert done["state"] == "completed", done


def state_of(stack: Stack, backtest_id: str, task: int) -> str:
    return str(stack.show(backtest_id)["tasks"][task]["state"])


@pytest.mark.chaos
def test_a_deleted_mixed_backtest_waits_for_the_service_that_may_still_write(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.options.start()
    own_stack.coordinator.start()
    own_stack.fault(match=AT_CHAINS, times=1, fault=SLOW)
    own_stack.submit(backtest_id="cut", data=[BARS, chain()])
    until(own_stack.struck, "the chain is on its way")
    own_stack.options.kill9()
    until(lambda: len(away(own_stack)) == 2, "it is seen")

    with pytest.raises(httpx2.TimeoutException):
        own_stack.api.delete("/v1/backtests/cut", timeout=1)

    assert len([topic for topic in own_stack.topics() if "-cut" in topic]) == 2
    own_stack.options.start()
    until(lambda: not [topic for topic in own_stack.topics() if "-cut" in topic], "its topics are gone")
