"""The client of a service: what answers wrongly, or not at all, is told as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import TypeVar

import pytest

from coordinator.historical import HistoricalService
from stoculus import logs
from stoculus.errors import InvalidRequest, ServiceUnavailable, StoculusError, TierTooLow, VendorUnreachable
from stoculus.tasks import StockTask
from tests.unit.coordinator.conftest import Answers, problem

T = TypeVar("T")
TASK = StockTask(backtest_id="42", ticker="AAPL", start=date(2024, 1, 2), end=date(2024, 1, 2))


def ask(url: str, call: Callable[[HistoricalService], Awaitable[T]]) -> T:
    async def run() -> T:
        service = HistoricalService("stock", url)
        try:
            return await call(service)
        finally:
            await service.close()

    return asyncio.run(run())


def test_a_task_is_posted_as_the_contract_has_it(answers: Answers) -> None:
    answers.status, answers.body = 202, b'{"task_id": "t", "state": "queued", "attempt": 1}'

    status = ask(answers.url, lambda service: service.start(TASK))

    assert status.state == "queued"
    method, path, body = answers.asked[0]
    assert (method, path, StockTask.model_validate_json(body)) == ("POST", "/v1/tasks", TASK)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, problem("invalid_request", field="tasks[0].ticker", remedy="Use AAPL."), InvalidRequest),
        (422, problem("tier_too_low", field="tasks[0].ticker", remedy="Use AAPL."), TierTooLow),
        (503, problem("vendor_unreachable", field="tasks[0].ticker", remedy="Use AAPL."), VendorUnreachable),
        (503, problem("what_is_this", field="tasks[0].ticker", remedy="Use AAPL."), ServiceUnavailable),
        (422, problem("stoculus_error_what", field="tasks[0].ticker", remedy="Use AAPL."), InvalidRequest),
    ],
)
def test_a_problem_is_raised_as_the_error_that_it_names(
    answers: Answers, status: int, body: bytes, kind: type[StoculusError]
) -> None:
    answers.status, answers.body = status, body

    with pytest.raises(kind) as raised:
        ask(answers.url, lambda service: service.plan([TASK]))

    assert type(raised.value) is kind
    assert (raised.value.field, raised.value.remedy) == ("tasks[0].ticker", "Use AAPL.")


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"tasks": 1}', b"\xff"])
def test_what_is_no_service_is_unavailable(answers: Answers, status: int, body: bytes) -> None:
    answers.status, answers.body = status, body

    with pytest.raises(ServiceUnavailable):
        ask(answers.url, lambda service: service.tasks())


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(ServiceUnavailable, match=r"http://127\.0\.0\.1:9"):
        ask("http://127.0.0.1:9", lambda service: service.tasks())


def test_stopping_what_is_not_held_is_fine(answers: Answers) -> None:
    answers.status, answers.body = 404, problem("not_found")

    ask(answers.url, lambda service: service.stop("t"))

    assert answers.asked[0][:2] == ("DELETE", "/v1/tasks/t")


def test_a_service_is_told_for_which_request_it_is_asked(answers: Answers) -> None:
    answers.status, answers.body = 202, b'{"task_id": "t", "state": "queued", "attempt": 1}'

    with logs.about(request_id="mine-1"):
        ask(answers.url, lambda service: service.start(TASK))
    ask(answers.url, lambda service: service.start(TASK))

    assert answers.request_ids == ["mine-1", None]
