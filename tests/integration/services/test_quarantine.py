"""Malformed rows: set apart with cause and line, none tolerated unless asked for, nothing lost in silence."""

import pytest
from confluent_kafka import Message

from stoculus.kafka.admin import connect, partition_counts
from tests.conftest import Broker
from tests.integration.kafka.conftest import Record, messages_of
from tests.integration.services.conftest import Read
from tests.integration.services.harness import Checkpoints, Service, Simulator, content

DAY = {"date": "2024-01-04"}
TRADES = {"ticker": "SYM0600", "start": "2024-01-03", "end": "2024-01-05", "schema": "trade"}
QUERY = {
    "symbol": "SYM0600",
    "start_date": "20240104",
    "end_date": "20240104",
    "start_time": "09:30:00.000",
    "end_time": "16:00:00.000",
    "venue": "utp_cta",
    "format": "csv",
}


@pytest.fixture(scope="module")
def undisturbed(shared_service: Service, checkpoints: Checkpoints, read: Read) -> list[Record]:
    task_id = shared_service.start_task({"backtest_id": "clean"} | TRADES)
    checkpoints.completed(task_id)
    return read(task_id)


def quarantine_of(broker: Broker, task_id: str) -> list[Message]:
    return list(messages_of(broker.kafka, f"{task_id}.quarantine"))


def headers_of(message: Message) -> dict[str, str]:
    headers = message.headers()
    assert isinstance(headers, list)
    return {name: value.decode() for name, value in headers if isinstance(value, bytes)}


def first_of_day(undisturbed: list[Record]) -> int:
    """The place of the first record of 2024-01-04."""
    return next(place for place, record in enumerate(undisturbed) if record.time_ms >= 1_704_344_400_000)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("drop_cell", "columns where the header has"),
        ("extra_cell", "columns where the header has"),
        ("nan", "price is not finite"),
        ("non_utf8", "UTF-8"),
    ],
)
def test_a_malformed_row_fails_the_task_and_a_retry_that_tolerates_it_goes_on(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    broker: Broker,
    undisturbed: list[Record],
    backtest_id: str,
    kind: str,
    cause: str,
) -> None:
    simulator.fault(kind, row=7, match=DAY)
    raw = simulator.csv("trade", **QUERY).split(b"\r\n")[7]
    task = {"backtest_id": backtest_id} | TRADES
    task_id = service.start_task(task)

    now = checkpoints.failed(task_id, "too_many_bad_rows")
    assert now.failure is not None
    assert "line 8" in now.failure.message
    assert "max_bad_rows" in now.failure.remedy
    [found] = quarantine_of(broker, task_id)
    assert found.value() == raw
    headers = headers_of(found)
    assert cause in headers.pop("cause")
    assert headers == {"line": "8", "start": "2024-01-04", "end": "2024-01-04", "attempt": "1"}
    first = first_of_day(undisturbed)
    assert content(read(task_id)) == content(undisturbed[:first])

    service.stop_task(task_id)
    service.start_task(task | {"attempt": 2, "max_bad_rows": 1})
    receipt = checkpoints.completed(task_id, attempt=2)
    rest = undisturbed[: first + 6] + undisturbed[first + 7 :]
    assert content(read(task_id)) == content(rest)
    assert (receipt.records, receipt.bad_rows) == (len(rest), 1)
    assert [headers_of(message)["attempt"] for message in quarantine_of(broker, task_id)] == ["1", "2"]


def test_rows_that_go_back_in_time_are_set_apart_as_the_vendor_sent_them(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    broker: Broker,
    undisturbed: list[Record],
    backtest_id: str,
) -> None:
    rows = simulator.csv("trade", **QUERY).split(b"\r\n")
    simulator.fault("out_of_order", row=len(rows) - 12, match=DAY)
    rows = simulator.csv("trade", **QUERY).split(b"\r\n")
    task_id = service.start_task({"backtest_id": backtest_id} | TRADES)

    checkpoints.failed(task_id, "too_many_bad_rows")

    found = quarantine_of(broker, task_id)
    assert found
    assert {headers_of(message)["cause"] for message in found} == {"the time goes back"}
    for message in found:
        assert message.value() == rows[int(headers_of(message)["line"]) - 1]


def test_a_body_that_is_always_cut_is_a_malformed_row_in_the_end(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    broker: Broker,
    undisturbed: list[Record],
    backtest_id: str,
) -> None:
    simulator.fault("cut", after_bytes=70_001, match=DAY)
    body = simulator.csv("trade", **QUERY)
    task = {"backtest_id": backtest_id} | TRADES
    task_id = service.start_task(task)

    checkpoints.failed(task_id, "too_many_bad_rows")

    [found] = quarantine_of(broker, task_id)
    assert found.value() == body.rpartition(b"\n")[2]
    assert headers_of(found)["cause"] == "the body ends inside a row"
    first = first_of_day(undisturbed)
    assert content(read(task_id))[:first] == content(undisturbed[:first])


def test_a_page_of_html_is_kept_as_evidence(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, broker: Broker, backtest_id: str
) -> None:
    simulator.fault("html_200", match=DAY)
    page = simulator.csv("trade", **QUERY)
    task_id = service.start_task({"backtest_id": backtest_id} | TRADES)

    checkpoints.failed(task_id, "vendor_answer_malformed")

    [found] = quarantine_of(broker, task_id)
    assert found.value() == page[:2048]
    assert headers_of(found)["start"] == "2024-01-04"


def test_a_clean_task_has_no_quarantine(broker: Broker, undisturbed: list[Record]) -> None:
    assert "stock-sym0600-trade-historical-clean.quarantine" not in partition_counts(connect(broker.kafka))


def test_bad_rows_that_stand_on_the_topic_already_are_not_set_apart_again(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, broker: Broker, backtest_id: str
) -> None:
    """A task that is stopped behind a tolerated row, in the middle of its chunk, and run again."""
    day = {"start": "2024-01-03", "end": "2024-01-03"}
    task = {"backtest_id": backtest_id, "ticker": "LOAD", "schema": "trade", "max_bad_rows": 3} | day
    simulator.fault("nan", row=7)
    task_id = service.start_task(task)
    checkpoints.started(task_id)
    service.stop_task(task_id)
    half = checkpoints.of(task_id)
    service.start_task(task)
    receipt = checkpoints.completed(task_id)

    assert half is not None
    assert half.state == "running"
    assert half.bad_rows == receipt.bad_rows == 1
    assert len(quarantine_of(broker, task_id)) == 1
    assert receipt.records == 999_999
