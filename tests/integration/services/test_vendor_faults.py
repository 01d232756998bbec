"""What the vendor may do to a request: waited out, split, or told."""

from datetime import date
from typing import Any

import pytest

from stoculus.calendar import trading_days
from tests.integration.kafka.conftest import Record
from tests.integration.services.conftest import Read, ServiceOf
from tests.integration.services.harness import Checkpoints, Service, Simulator, by_day, content, until

TRADES = {"ticker": "SYM0500", "start": "2024-01-03", "end": "2024-01-05", "schema": "trade"}
DAY = {"date": "2024-01-04"}


@pytest.fixture(scope="module")
def undisturbed(shared_service: Service, checkpoints: Checkpoints, read: Read) -> list[Record]:
    """The topic of the three days."""
    task_id = shared_service.start_task({"backtest_id": "undisturbed"} | TRADES)
    checkpoints.completed(task_id)
    return read(task_id)


# Each on a day of its own, all at once: most of the time is waiting.
WAITED_OUT: dict[str, tuple[dict[str, Any], int | None]] = {
    "429": ({"kind": "status", "status": 429}, 3),
    "474": ({"kind": "status", "status": 474}, 2),
    "503": ({"kind": "status", "status": 503}, 2),
    "571": ({"kind": "status", "status": 571}, 2),
    "500": ({"kind": "status", "status": 500}, 2),
    "570": ({"kind": "status", "status": 570}, 1),
    "a reset before the headers": ({"kind": "reset", "after_bytes": 0}, 2),
    "a reset in the body": ({"kind": "reset", "after_bytes": 70_000}, 2),
    "a cut body": ({"kind": "cut", "after_bytes": 70_001}, 2),
    "a body without its last chunk": ({"kind": "truncate_chunked", "after_bytes": 70_000}, 2),
    "silence": ({"kind": "silent", "seconds": 60}, 1),
    "silence after the headers": ({"kind": "silent", "seconds": 60, "headers": True}, 1),
    "silence in the body": ({"kind": "stall", "after_bytes": 70_000, "seconds": 60}, 1),
    "a column more": ({"kind": "column_added"}, None),
    "another order of columns": ({"kind": "column_moved", "column": "timestamp"}, None),
}
FIRST_DAY, LAST_DAY = date(2024, 2, 1), date(2024, 2, 29)
STUBBORN_DAY, *FAULTY_DAYS = trading_days(FIRST_DAY, LAST_DAY)
DAY_OF = dict(zip(WAITED_OUT, FAULTY_DAYS, strict=False))


@pytest.fixture(scope="module")
def month(shared_service: Service, checkpoints: Checkpoints, read: Read) -> list[Record]:
    """The undisturbed topic of the days of the faults."""
    task_id = shared_service.start_task(trades_of("month", FIRST_DAY, LAST_DAY))
    checkpoints.completed(task_id)
    return read(task_id)


@pytest.fixture(scope="module")
def waited_out(
    month: list[Record], shared_service: Service, simulator: Simulator, checkpoints: Checkpoints
) -> dict[date, tuple[str, int]]:
    """Run the days of the faults; of each the task, and how often its fault struck."""
    simulator.fault("status", status=572, match={"date": STUBBORN_DAY.isoformat()})
    for name, (fault, times) in WAITED_OUT.items():
        simulator.fault(**fault, times=times, match={"date": DAY_OF[name].isoformat()})
    days = [STUBBORN_DAY, *DAY_OF.values()]
    tasks = [shared_service.start_task(trades_of(f"faults-{day}", day, day)) for day in days]
    for task_id in tasks:
        checkpoints.ended(task_id)
    struck = simulator.fired()
    simulator.heal()
    return dict(zip(days, zip(tasks, struck, strict=True), strict=True))


def trades_of(backtest_id: str, start: date, end: date) -> dict[str, Any]:
    days = {"start": start.isoformat(), "end": end.isoformat()}
    return {"backtest_id": backtest_id, "ticker": "SYM0501", "schema": "trade"} | days


@pytest.mark.parametrize("name", WAITED_OUT)
def test_the_topic_is_the_same_after(
    waited_out: dict[date, tuple[str, int]], month: list[Record], checkpoints: Checkpoints, read: Read, name: str
) -> None:
    day, (_, times) = DAY_OF[name], WAITED_OUT[name]
    task_id, struck = waited_out[day]

    receipt = checkpoints.completed(task_id)

    assert struck >= (times or 1)
    assert receipt.bad_rows == 0
    assert content(read(task_id)) == content(by_day(month)[day])


def test_a_vendor_that_fails_again_and_again_fails_the_task(
    waited_out: dict[date, tuple[str, int]], checkpoints: Checkpoints
) -> None:
    checkpoints.failed(waited_out[STUBBORN_DAY][0], "vendor_fault")


def test_bars_of_many_days_that_are_too_much_are_asked_for_by_halves(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    bars = {"ticker": "SYM0500", "start": "2024-01-02", "end": "2024-01-26"}
    whole = service.start_task({"backtest_id": backtest_id} | bars)
    checkpoints.completed(whole)
    simulator.fault("status", status=570, times=3)
    parts = service.start_task({"backtest_id": f"{backtest_id}-parts"} | bars)
    receipt = checkpoints.completed(parts)

    assert simulator.fired() == [3]
    assert content(read(parts)) == content(read(whole))
    assert receipt.chunks_done == 1


def test_a_day_without_data_is_an_empty_day_with_its_reason(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, undisturbed: list[Record], backtest_id: str
) -> None:
    simulator.fault("status", status=472, match=DAY)
    receipt = checkpoints.completed(service.start_task({"backtest_id": backtest_id} | TRADES))

    assert [(day.isoformat(), "472" in reason) for day, reason in receipt.empty_days.items()] == [("2024-01-04", True)]
    assert sorted(day.isoformat() for day in receipt.days) == ["2024-01-03", "2024-01-05"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 400}, "vendor_refused"),
        ({"kind": "status", "status": 473}, "vendor_refused"),
        ({"kind": "status", "status": 476}, "vendor_refused"),
        ({"kind": "html_200"}, "vendor_answer_malformed"),
        ({"kind": "empty_200"}, "vendor_answer_malformed"),
        ({"kind": "column_missing", "column": "size"}, "columns_missing"),
        ({"kind": "column_renamed", "column": "price"}, "columns_missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(str(part) for part in value.values()),
)
def test_what_no_waiting_mends_fails_the_task_and_a_retry_goes_on(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    undisturbed: list[Record],
    backtest_id: str,
    fault: dict[str, Any],
    code: str,
) -> None:
    task = {"backtest_id": backtest_id} | TRADES
    simulator.fault(**fault, match=DAY)
    task_id = service.start_task(task)

    now = checkpoints.failed(task_id, code)

    assert now.failure is not None
    assert now.failure.remedy
    done = read(task_id)
    assert content(done) == content(undisturbed[: len(done)])
    service.stop_task(task_id)
    simulator.heal()
    service.start_task(task | {"attempt": 2})
    assert checkpoints.completed(task_id, attempt=2).attempt == 2
    assert content(read(task_id)) == content(undisturbed)


def test_columns_that_are_missing_are_named(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, backtest_id: str
) -> None:
    simulator.fault("column_renamed", column="price", match=DAY)
    now = checkpoints.failed(service.start_task({"backtest_id": backtest_id} | TRADES), "columns_missing")

    assert now.failure is not None
    assert "price" in now.failure.message


def test_a_tier_that_is_too_low_is_named_and_learned(
    new_service: ServiceOf, simulator: Simulator, checkpoints: Checkpoints, backtest_id: str
) -> None:
    """A service of its own: it knows the account's tier better afterwards."""
    service = new_service(simulator.url).start()
    simulator.fault("status", status=403, match=DAY)
    try:
        now = checkpoints.failed(service.start_task({"backtest_id": backtest_id} | TRADES), "tier_too_low")
    finally:
        simulator.heal()

    assert now.failure is not None
    assert "standard" in now.failure.message
    deep = {"backtest_id": backtest_id, "ticker": "AAPL", "start": "2013-01-02", "end": "2013-01-03"}
    answer = service.http.post("/v1/tasks:plan", json={"tasks": [deep]})
    assert (answer.status_code, answer.json()["field"]) == (422, "tasks[0].start")
    service.end()


def test_an_account_that_another_login_holds_is_waited_for_without_asking_for_data(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read, undisturbed: Any, backtest_id: str
) -> None:
    simulator.fault("another_login")
    task_id = service.start_task({"backtest_id": backtest_id} | TRADES)
    taken = until(lambda: waiting_for(service, task_id, "session_taken"), "it says why it waits")
    asked = simulator.data_requests()

    assert "another terminal" in taken.lower()
    not_ready = until(lambda: service.not_ready(), "it says so in /readyz")
    assert "more than one terminal" in not_ready
    assert service.metric("stoculus_vendor_session_taken") == 1
    assert service.http.get("/v1/tasks").status_code == 200
    assert simulator.data_requests() == asked

    simulator.heal()
    assert checkpoints.completed(task_id).attempt == 1
    assert content(read(task_id)) == content(undisturbed)
    until(lambda: service.not_ready() is None, "it is ready again")
    assert service.metric("stoculus_vendor_session_taken") == 0


def waiting_for(service: Service, task_id: str, code: str) -> str | None:
    """Why the task waits, where it does so for this."""
    status = service.status(task_id)
    reason = status["reason"] if status and status["state"] == "waiting" else None
    return str(reason) if reason and str(reason).startswith(code) else None
