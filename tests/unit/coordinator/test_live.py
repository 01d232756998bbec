"""The client of the live service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from coordinator.live import LiveService
from stoculus.errors import Conflict, ServiceUnavailable, TierTooLow
from stoculus.streams import StreamSpec
from tests.unit.coordinator.conftest import Answers, problem

T = TypeVar("T")
SPEC = StreamSpec.model_validate(
    {
        "stream_id": "tape",
        "feeds": [
            {"asset": "stock", "ticker": "AAPL", "schema": "trade"},
            {"asset": "option", "root": "SPXW", "schema": "quote", "expirations": ["2024-01-05"]},
        ],
    }
)


def ask(url: str, call: Callable[[LiveService], Awaitable[T]]) -> T:
    async def run() -> T:
        service = LiveService(url)
        try:
            return await call(service)
        finally:
            await service.close()

    return asyncio.run(run())


def test_a_stream_is_put_and_planned_as_the_contract_has_it(answers: Answers) -> None:
    answers.body = b'{"stream_id": "tape", "state": "starting"}'
    assert ask(answers.url, lambda service: service.start(SPEC)).state == "starting"
    answers.body = b'{"subscriptions": 3, "in_use": 4, "notes": ["So."]}'
    assert ask(answers.url, lambda service: service.plan(SPEC)).in_use == 4

    assert [(method, path) for method, path, _ in answers.asked] == [
        ("PUT", "/v1/streams/tape"),
        ("POST", "/v1/streams:plan"),
    ]
    assert [StreamSpec.model_validate_json(body) for *_, body in answers.asked] == [SPEC, SPEC]


def test_streams_are_known_by_their_ids(answers: Answers) -> None:
    answers.body = b'{"streams": [{"stream_id": "a", "state": "running"}, {"stream_id": "b", "state": "closed"}]}'

    assert {i: s.state for i, s in ask(answers.url, lambda service: service.streams()).items()} == {
        "a": "running",
        "b": "closed",
    }


def test_a_stream_that_the_service_has_not_is_stopped(answers: Answers) -> None:
    answers.status, answers.body = 404, problem("not_found")

    ask(answers.url, lambda service: service.stop("tape"))

    assert answers.asked[0][:2] == ("DELETE", "/v1/streams/tape")


def test_refusals_are_raised_as_what_they_are(answers: Answers) -> None:
    answers.status, answers.body = 409, problem("conflict")
    with pytest.raises(Conflict):
        ask(answers.url, lambda service: service.start(SPEC))
    answers.status, answers.body = 422, problem("tier_too_low", field="feeds[1]")
    with pytest.raises(TierTooLow) as raised:
        ask(answers.url, lambda service: service.plan(SPEC))
    assert raised.value.field == "feeds[1]"
    answers.status, answers.body = 200, b"{}"
    with pytest.raises(ServiceUnavailable, match="live-stream at"):
        ask(answers.url, lambda service: service.start(SPEC))
