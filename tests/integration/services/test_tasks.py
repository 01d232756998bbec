"""The task API as its callers meet it."""

import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from stoculus.calendar import NEW_YORK
from stoculus.reading.decoding import Decoder
from stoculus.reading.proof import topic_hash
from stoculus.records.catalog import record_type
from tests.conftest import Broker, Registry
from tests.integration.kafka.conftest import Record
from tests.integration.services.conftest import Read, quotes
from tests.integration.services.harness import Checkpoints, Service, Simulator, content, days_of, hash_of

EST_US = 5 * 3_600_000_000


def bars(backtest_id: str, **changes: Any) -> dict[str, Any]:
    """Three days of bars, one of them closed."""
    return {"backtest_id": backtest_id, "ticker": "AAPL", "start": "2024-01-12", "end": "2024-01-16"} | changes


def test_id_ticker_and_days_are_enough(
    service: Service, checkpoints: Checkpoints, read: Read, simulator: Simulator, backtest_id: str
) -> None:
    answer = service.post(bars(backtest_id))
    assert answer.status_code == 202
    task_id = f"stock-aapl-ohlcv1m-historical-{backtest_id}"
    assert answer.json()["task_id"] == task_id
    assert answer.json()["state"] in ("queued", "running")

    receipt = checkpoints.completed(task_id)

    records = read(task_id)
    assert receipt.records == len(records)
    assert receipt.records + receipt.empty_bars == 2 * 391
    assert receipt.days == days_of(records)
    assert list(receipt.days) == [datetime(2024, 1, 12, tzinfo=UTC).date(), datetime(2024, 1, 16, tzinfo=UTC).date()]
    assert receipt.hash == hash_of(records)
    assert receipt.last_offset == records[-1].offset
    assert receipt.request is not None
    assert receipt.request.params == {"symbol": "AAPL", "interval": "1m", "venue": "utp_cta", "format": "csv"}
    assert receipt.chunk is None
    assert receipt.complete_until == datetime(2024, 1, 17, 5, tzinfo=UTC)


def test_the_open_moves_in_utc_when_the_clocks_change(
    service: Service, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    days = {"start": "2024-03-08", "end": "2024-03-11"}
    task_id = service.start_task(bars(backtest_id, **days, keep_empty_bars=True))
    checkpoints.completed(task_id)

    times = [datetime.fromtimestamp(record.time_ms / 1000, UTC) for record in read(task_id)]
    assert len(times) == 2 * 391
    assert (times[0], times[390]) == (datetime(2024, 3, 8, 14, 30, tzinfo=UTC), datetime(2024, 3, 8, 21, tzinfo=UTC))
    assert (times[391], times[-1]) == (datetime(2024, 3, 11, 13, 30, tzinfo=UTC), datetime(2024, 3, 11, 20, tzinfo=UTC))


@pytest.mark.chaos
def test_a_million_trades_are_those_of_the_vendor(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    registry: Registry,
    backtest_id: str,
) -> None:
    day = {"start": "2024-01-03", "end": "2024-01-03"}
    task_id = service.start_task({"backtest_id": backtest_id, "ticker": "LOAD", "schema": "trade"} | day)
    checkpoints.completed(task_id)
    records = read(task_id)
    vendor = pyarrow.csv.read_csv(
        io.BytesIO(simulator.csv("trade", symbol="LOAD", date="20240103", venue="utp_cta", format="csv"))
    )
    values = Decoder(registry.connection).decode([record.value for record in records], record_type("StockTrade"))

    assert len(records) == vendor.num_rows == 1_000_000
    for name in vendor.column_names[1:]:
        found, sent = values[name], vendor[name].combine_chunks()
        assert found.fill_null(255).equals(sent.cast(found.type)), name
    utc_us = vendor["timestamp"].combine_chunks().cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() + EST_US
    assert (values["ts_event"].cast(pa.int64()).to_numpy() == utc_us).all()


def test_the_receipts_hash_is_what_verify_computes(
    broker: Broker, registry: Registry, checkpoints: Checkpoints, reference: list[Record]
) -> None:
    task_id = "stock-aapl-quote100ms-historical-reference"
    receipt = checkpoints.completed(task_id)

    found = topic_hash(broker.kafka, Decoder(registry.connection), task_id, record_type("StockQuote"))

    assert (found.records, found.days, found.hash) == (receipt.records, receipt.days, receipt.hash)
    assert receipt.hash == hash_of(reference)


def test_a_chunk_of_many_rows_is_several_transactions(reference: list[Record]) -> None:
    gaps = [later.offset - earlier.offset for earlier, later in pairwise(reference)]

    assert gaps.count(2) == 2
    assert set(gaps) == {1, 2}


def test_other_ids_make_the_same_bytes(
    service: Service, checkpoints: Checkpoints, read: Read, reference: list[Record], backtest_id: str
) -> None:
    task_id = service.start_task(quotes(backtest_id))
    receipt = checkpoints.completed(task_id)

    assert receipt.hash == hash_of(reference)
    assert content(read(task_id)) == content(reference)


def test_posting_a_running_task_again_changes_nothing(
    service: Service, checkpoints: Checkpoints, simulator: Simulator, read: Read, backtest_id: str
) -> None:
    simulator.fault("stall", after_bytes=1000, seconds=2, times=1, match={"path": "stock/history/ohlc"})
    task_id = service.start_task(bars(backtest_id))

    for attempt in (1, 1, 2):
        again = service.post(bars(backtest_id, attempt=attempt))
        assert (again.status_code, again.json()["attempt"]) == (200, 1)

    receipt = checkpoints.completed(task_id)
    assert len(read(task_id)) == receipt.records


def test_a_completed_task_ends_at_once_and_leaves_its_topic(
    service: Service, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    task_id = service.start_task(bars(backtest_id))
    receipt = checkpoints.completed(task_id)
    records = read(task_id)
    for attempt in (1, 2):
        assert service.post(bars(backtest_id, attempt=attempt)).status_code in (200, 202)
        service.stop_task(task_id)

    assert read(task_id) == records
    assert checkpoints.of(task_id) == receipt


def test_only_tasks_that_are_held_are_listed(
    service: Service, checkpoints: Checkpoints, simulator: Simulator, backtest_id: str
) -> None:
    simulator.fault("stall", after_bytes=1000, seconds=1, times=1, match={"path": "stock/history/ohlc"})
    task_id = service.start_task(bars(backtest_id))

    assert task_id in [task["task_id"] for task in service.http.get("/v1/tasks").json()["tasks"]]
    status = service.status(task_id)
    assert status is not None
    assert (status["state"], status["attempt"]) == ("running", 1)
    checkpoints.completed(task_id)
    service.stop_task(task_id)
    assert task_id not in [task["task_id"] for task in service.http.get("/v1/tasks").json()["tasks"]]


def test_a_task_that_is_not_held_is_not_found(service: Service) -> None:
    for answer in (service.http.get("/v1/tasks/nothing"), service.http.delete("/v1/tasks/nothing")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ticker": "$$$"}, "ticker"),
        ({"backtest_id": "A B"}, "backtest_id"),
        ({"schema": "candles"}, "schema"),
        ({"schema": "trade", "interval": "1m"}, "interval"),
        ({"start": "2024-01-17"}, "start"),
        ({"start": "2024-01-13", "end": "2024-01-15"}, "start"),
        ({"start": "1990-01-02"}, "start"),
        ({"end": "2040-01-02"}, "end"),
        ({"session": "night"}, "session"),
        ({"attempt": 0}, "attempt"),
        ({"colour": "red"}, "colour"),
        ({"start": "soon"}, "start"),
    ],
)
def test_a_task_that_cannot_be_run_is_refused_with_its_field(
    service: Service, backtest_id: str, wrong: dict[str, Any], field: str
) -> None:
    answer = service.post(bars(backtest_id) | wrong)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert service.http.get("/v1/tasks").json()["tasks"] == []


def test_days_that_are_not_settled_are_refused(service: Service, backtest_id: str) -> None:
    today = datetime.now(NEW_YORK).date()
    answer = service.post(bars(backtest_id, start="2024-01-12", end=today.isoformat()))

    assert answer.status_code == 422
    assert answer.json()["field"] == "end"
    assert "complete from" in answer.json()["detail"]


def test_a_plan_is_made_in_the_order_asked(service: Service, backtest_id: str) -> None:
    tasks = [bars(backtest_id, ticker=ticker) for ticker in ("MSFT", "BRK.B", "AAPL")]
    answer = service.http.post("/v1/tasks:plan", json={"tasks": tasks})

    assert answer.status_code == 200, answer.text
    plans = answer.json()["plans"]
    assert [plan["task_id"].split("-")[1] for plan in plans] == ["msft", "brk.b", "aapl"]
    assert {(plan["requests"], plan["rows"]) for plan in plans} == {(1, 2 * 391)}


def test_a_plan_refuses_an_unknown_symbol_with_the_nearest(service: Service, backtest_id: str) -> None:
    tasks = [bars(backtest_id), bars(backtest_id, ticker="MSFTT")]
    answer = service.http.post("/v1/tasks:plan", json={"tasks": tasks})

    assert answer.status_code == 422
    assert answer.json()["field"] == "tasks[1].ticker"
    assert "MSFT" in answer.json()["remedy"]


def test_a_task_of_an_unknown_symbol_fails(service: Service, checkpoints: Checkpoints, backtest_id: str) -> None:
    task_id = service.start_task(bars(backtest_id, ticker="NOSUCH"))

    now = checkpoints.failed(task_id, "invalid_request")
    assert now.failure is not None
    assert "NOSUCH" in now.failure.message


def test_many_tasks_at_once_all_complete(
    service: Service, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    """More than the service runs at once, more than the account has slots, on little memory."""
    tickers = [f"SYM{number:04}" for number in range(1, 21)]
    ids = [service.start_task(bars(backtest_id, ticker=ticker, end="2024-01-12", schema="trade")) for ticker in tickers]

    for task_id in ids:
        assert checkpoints.completed(task_id).records == len(read(task_id)) > 1800
