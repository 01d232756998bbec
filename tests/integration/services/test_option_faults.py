"""What the vendor may do to a chain, whose days take several requests: waited out, left empty, set apart, or told."""

from datetime import date
from typing import Any

import pytest

from stoculus.calendar import trading_days
from tests.conftest import Broker
from tests.integration.kafka.conftest import Record, messages_of
from tests.integration.services.conftest import Read, ServiceOf
from tests.integration.services.harness import Checkpoints, Service, Simulator, by_day, content

pytestmark = pytest.mark.chaos

FIRST_DAY, LAST_DAY = date(2024, 2, 1), date(2024, 2, 14)
BARS = "option/history/ohlc"
WAITED_OUT: dict[str, tuple[dict[str, Any], int]] = {
    "429": ({"kind": "status", "status": 429}, 3),
    "500": ({"kind": "status", "status": 500}, 2),
    "571": ({"kind": "status", "status": 571}, 2),
    "570": ({"kind": "status", "status": 570}, 1),
    "a reset in the body": ({"kind": "reset", "after_bytes": 10_000}, 2),
    "a cut body": ({"kind": "cut", "after_bytes": 10_001}, 2),
    "silence in the body": ({"kind": "stall", "after_bytes": 10_000, "seconds": 60}, 1),
    "another order of columns": ({"kind": "column_moved", "column": "timestamp"}, 2),
}
DAY_OF = dict(zip(WAITED_OUT, trading_days(FIRST_DAY, LAST_DAY), strict=False))
DAY = FIRST_DAY


def chain(backtest_id: str, start: date = DAY, end: date = DAY) -> dict[str, Any]:
    """Bars of an hour of two expirations: two requests a day."""
    return {
        "backtest_id": backtest_id,
        "root": "XSP",
        "start": f"{start}",
        "end": f"{end}",
        "schema": "ohlcv1h",
        "keep_empty_bars": True,
        "expirations": ["2024-02-16", "2024-03-15"],
    }


@pytest.fixture
def service(option_service: Service, simulator: Simulator) -> Any:
    yield option_service
    simulator.heal()


@pytest.fixture(scope="module")
def undisturbed(option_service: Service, checkpoints: Checkpoints, read: Read) -> dict[date, list[Record]]:
    receipt = checkpoints.completed(option_service.start_task(chain("undisturbed-weeks", FIRST_DAY, LAST_DAY)))
    return by_day(read(receipt.task_id))


@pytest.fixture(scope="module")
def waited_out(
    undisturbed: dict[date, list[Record]], option_service: Service, simulator: Simulator, checkpoints: Checkpoints
) -> dict[str, tuple[str, int]]:
    """Run all the days of the faults at once; of each fault the task, and how often it struck."""
    for name, (fault, times) in WAITED_OUT.items():
        simulator.fault(**fault, times=times, match={"date": f"{DAY_OF[name]}", "path": BARS})
    tasks = [option_service.start_task(chain(f"faults-{day}", day, day)) for day in DAY_OF.values()]
    for task_id in tasks:
        checkpoints.ended(task_id)
    struck = simulator.fired()
    simulator.heal()
    return dict(zip(WAITED_OUT, zip(tasks, struck, strict=True), strict=True))


@pytest.mark.parametrize("name", WAITED_OUT)
def test_the_topic_is_the_same_after(
    waited_out: dict[str, tuple[str, int]],
    undisturbed: dict[date, list[Record]],
    checkpoints: Checkpoints,
    read: Read,
    name: str,
) -> None:
    task_id, struck = waited_out[name]

    receipt = checkpoints.completed(task_id)

    assert struck == WAITED_OUT[name][1]
    assert receipt.bad_rows == 0
    assert content(read(task_id)) == content(undisturbed[DAY_OF[name]])


def test_an_expiration_without_data_leaves_those_of_the_others(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read, undisturbed: Any, backtest_id: str
) -> None:
    simulator.fault("status", status=472, times=1, match={"path": BARS})
    receipt = checkpoints.completed(service.start_task(chain(backtest_id)))

    found = content(read(receipt.task_id))
    whole = content(undisturbed[DAY])
    assert 0 < len(found) < len(whole)
    left_out = {expiration_of(row) for row in set(whole) - set(found)}
    assert len(left_out) == 1
    assert found == [row for row in whole if expiration_of(row) not in left_out]
    assert receipt.empty_days == {}


def expiration_of(row: Any) -> bytes:
    """Of a record's content, by its key, the OSI symbol."""
    key: bytes = row[0]
    return key[6:12]


def test_a_day_without_data_is_an_empty_day_with_its_reason(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read, undisturbed: Any, backtest_id: str
) -> None:
    first, second, third = trading_days(FIRST_DAY, LAST_DAY)[:3]
    simulator.fault("status", status=472, match={"path": BARS, "date": f"{second}"})
    receipt = checkpoints.completed(service.start_task(chain(backtest_id, first, third)))

    assert list(receipt.empty_days) == [second]
    assert "472" in receipt.empty_days[second]
    assert content(read(receipt.task_id)) == content(undisturbed[first] + undisturbed[third])


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 400}, "vendor_refused"),
        ({"kind": "html_200"}, "vendor_answer_malformed"),
        ({"kind": "column_missing", "column": "strike"}, "columns_missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(str(part) for part in value.values()),
)
def test_what_no_waiting_mends_fails_the_task_and_a_retry_goes_on(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    undisturbed: Any,
    backtest_id: str,
    fault: dict[str, Any],
    code: str,
) -> None:
    first, second = trading_days(FIRST_DAY, LAST_DAY)[:2]
    simulator.fault(**fault, times=1, match={"path": BARS, "date": f"{second}"})
    task = chain(backtest_id, first, second)
    task_id = service.start_task(task)

    now = checkpoints.failed(task_id, code)

    assert now.failure is not None
    assert now.failure.remedy
    assert content(read(task_id)) in ([], content(undisturbed[first]))
    service.stop_task(task_id)
    simulator.heal()
    service.start_task(task | {"attempt": 2})
    checkpoints.completed(task_id, attempt=2)
    assert content(read(task_id)) == content(undisturbed[first] + undisturbed[second])


def test_a_tier_that_is_too_low_names_the_tier_and_the_schema(
    new_service: ServiceOf, simulator: Simulator, checkpoints: Checkpoints, backtest_id: str
) -> None:
    """A service of its own: it knows the account's tier better afterwards."""
    service = new_service(simulator.url, "historical_option").start()
    simulator.fault("status", status=403, match={"path": BARS})
    try:
        now = checkpoints.failed(service.start_task(chain(backtest_id)), "tier_too_low")
    finally:
        simulator.heal()
        service.end()

    assert now.failure is not None
    assert "tier (standard) may not read option/history/ohlc" in now.failure.message


def test_a_malformed_row_is_set_apart_with_its_request_and_a_retry_that_tolerates_it_goes_on(
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    broker: Broker,
    undisturbed: Any,
    backtest_id: str,
) -> None:
    simulator.fault("nan", row=7, column="close", times=1, match={"path": BARS})
    task_id = service.start_task(chain(backtest_id))
    now = checkpoints.failed(task_id, "too_many_bad_rows")

    assert now.failure is not None
    assert "max_bad_rows" in now.failure.remedy
    [found] = messages_of(broker.kafka, f"{task_id}.quarantine")
    assert b"close is not finite (option/history/ohlc XSP" in dict(found.headers() or [])["cause"]  # type: ignore[operator]
    assert read(task_id) == []

    service.stop_task(task_id)
    simulator.heal()
    simulator.fault("nan", row=7, column="close", times=1, match={"path": BARS})
    service.start_task(chain(backtest_id) | {"attempt": 2, "max_bad_rows": 1})
    receipt = checkpoints.completed(task_id, attempt=2)
    found_rows, whole = content(read(task_id)), content(undisturbed[DAY])
    assert receipt.bad_rows == 1
    assert len(set(whole) - set(found_rows)) <= 1
    assert set(found_rows) <= set(whole)
