import asyncio
from collections.abc import Sequence

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from coordinator.access import limits
from coordinator.access.limits import RateLimit, Seats
from coordinator.access.scopes import Caller
from stoculus.errors import TooManyRequests


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def is_taken(limit: RateLimit, caller: str = "quant") -> bool:
    try:
        limit.take(caller)
    except TooManyRequests:
        return False
    return True


pauses_s = st.lists(st.floats(min_value=0, max_value=3), max_size=200)


@given(pauses_s=pauses_s, per_s=st.floats(min_value=0.1, max_value=100), burst=st.integers(1, 50))
def test_in_no_stretch_of_time_more_is_taken_than_burst_and_rate_allow(
    pauses_s: Sequence[float], per_s: float, burst: int
) -> None:
    clock = Clock()
    limit, taken_at = RateLimit(per_s, burst, clock), []
    for pause_s in pauses_s:
        clock.now += pause_s
        if is_taken(limit):
            taken_at.append(clock.now)

    for first in range(len(taken_at)):
        for last in range(first, len(taken_at)):
            assert last - first + 1 <= burst + (taken_at[last] - taken_at[first]) * per_s + 1e-6


@given(pauses_s=pauses_s, per_s=st.floats(min_value=0.1, max_value=100), burst=st.integers(1, 50))
def test_who_waits_as_long_as_he_is_told_is_served(pauses_s: Sequence[float], per_s: float, burst: int) -> None:
    clock = Clock()
    limit = RateLimit(per_s, burst, clock)
    for pause_s in pauses_s:
        clock.now += pause_s
        try:
            limit.take("quant")
        except TooManyRequests as refused:
            clock.now += refused.retry_after_s
            limit.take("quant")


@given(every_s=st.floats(min_value=0.25, max_value=5), per_s=st.floats(min_value=4, max_value=100))
def test_a_script_that_polls_at_less_than_the_rate_never_meets_it(every_s: float, per_s: float) -> None:
    clock = Clock()
    limit = RateLimit(per_s, 1, clock)

    for _ in range(100):
        assert is_taken(limit)
        clock.now += every_s * (1 + 1e-9)


def test_a_burst_is_taken_whole_and_not_one_more() -> None:
    limit = RateLimit(7, 400, Clock())

    assert [is_taken(limit) for _ in range(401)] == [True] * 400 + [False]


def test_who_asks_too_fast_is_served_at_the_rate_all_the_same() -> None:
    clock = Clock()
    limit = RateLimit(8, 1, clock)
    served = 0
    for _ in range(1024):
        clock.now += 1 / 128
        served += is_taken(limit)

    assert served == 64


def test_each_caller_has_a_bucket_of_its_own() -> None:
    limit = RateLimit(1, 1, Clock())

    assert [is_taken(limit, caller) for caller in ("a", "b", "a", "b")] == [True, True, False, False]


def test_of_many_callers_those_are_forgotten_who_asked_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 2)
    limit = RateLimit(1, 1, Clock())
    for caller in ("a", "b", "a", "c"):
        is_taken(limit, caller)

    assert not is_taken(limit, "a")
    assert is_taken(limit, "b")


def request_of(caller: str) -> Request:
    request = Request({"type": "http", "headers": []})
    request.state.caller = Caller(caller, frozenset())
    return request


def test_a_seat_is_held_until_the_answer_has_ended() -> None:
    async def follow() -> None:
        seats = Seats(2)
        held = [seats.hold(request_of("a")) for _ in range(3)]
        await anext(held[0])
        await anext(held[1])
        with pytest.raises(TooManyRequests, match="2 event streams") as refused:
            await anext(held[2])
        assert refused.value.retry_after_s > 0
        await anext(seats.hold(request_of("b")))

        await held[0].aclose()  # type: ignore[attr-defined]
        await anext(seats.hold(request_of("a")))

    asyncio.run(follow())
