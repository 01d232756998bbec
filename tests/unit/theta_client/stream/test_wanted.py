from collections.abc import Iterable
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stoculus.instruments import Stock
from theta_client.stream.subscription import Subscription
from theta_client.stream.wanted import NO_ANSWER, Outcome, Pace, WantedSet

A, B, C, D = (Subscription("trade", Stock(name)) for name in "ABCD")
PACE = Pace(between_requests_s=1, answer_timeout_s=10, login_grace_s=3, first_retry_s=4, most_retry_s=16)


def wanted_set(*wanted: Subscription, word: str = "CONNECTED") -> WantedSet:
    one = WantedSet(PACE, lambda: 1.0)
    one.want(wanted)
    one.opened(0)
    if word:
        one.status(word)
    return one


def asked(requests: Iterable[bytes]) -> list[tuple[str, bool]]:
    return [(request["contract"]["root"], request["add"]) for request in map(orjson.loads, requests)]


def request_id(requests: Iterable[bytes]) -> int:
    return int(max(orjson.loads(request)["id"] for request in requests))


def test_requests_are_paced_in_the_order_of_the_wanted_set() -> None:
    one = wanted_set(C, A, B)
    assert [asked(one.due(now)) for now in (0, 0.5, 1, 1.5, 2, 3)] == [
        [("C", True)], [], [("A", True)], [], [("B", True)], [],
    ]  # fmt: skip


def test_ids_only_grow_and_never_come_twice_in_the_process() -> None:
    ids = []
    for _ in range(3):
        one = wanted_set(A, B)
        ids += [request_id(one.due(now)) for now in (0, 1)]
    assert ids == sorted(set(ids))


def test_after_a_grace_a_cold_terminal_is_asked_without_waiting_for_connected() -> None:
    one = wanted_set(A, B, C, word="DISCONNECTED")
    assert asked(one.due(2.9)) == []
    first = one.due(3)
    assert asked(first) == [("A", True)]
    assert asked(one.due(9)) == []
    one.status("UNVERIFIED")
    assert asked(one.due(9)) == []
    one.status("CONNECTED")
    assert [asked(one.due(9 + n))[0] for n in range(3)] == [("A", True), ("B", True), ("C", True)]
    assert one.answered(request_id(first), "SUBSCRIBED", 13) is None


def test_a_terminal_that_confirms_without_being_connected_is_asked_for_all() -> None:
    one = wanted_set(A, B, word="DISCONNECTED")
    first = one.due(3)
    assert one.answered(request_id(first), "SUBSCRIBED", 3) == Outcome(A, True, "SUBSCRIBED", True)
    assert asked(one.due(4)) == [("B", True)]


def test_what_got_an_error_is_asked_again_later_with_a_new_id() -> None:
    one = wanted_set(A)
    first = one.due(0)
    assert one.answered(request_id(first), "ERROR", 1) == Outcome(A, True, "ERROR", False)
    one.expired(4.9)
    assert one.due(4.9) == []
    one.expired(5)
    second = one.due(5)
    assert request_id(second) > request_id(first)
    one.answered(request_id(second), "ERROR", 6)
    one.expired(13.9)
    assert one.due(13.9) == []
    one.expired(14)
    third = one.due(14)
    assert one.answered(request_id(third), "SUBSCRIBED", 14) == Outcome(A, True, "SUBSCRIBED", True)
    assert one.confirmed == 1


def test_while_the_upstream_is_down_errors_do_not_loop_and_connected_asks_all_again() -> None:
    one = wanted_set(A, B, C)
    sent = [request_id(one.due(now)) for now in (0, 1, 2)]
    one.status("DISCONNECTED")
    for each in sent:
        one.answered(each, "ERROR", 3)
    tries = 0
    for now in range(4, 100):
        one.expired(now)
        for request in one.due(now):
            tries += 1
            one.answered(request_id([request]), "ERROR", now)
    assert 0 < tries < 10
    one.status("CONNECTED")
    assert sorted(asked(one.due(100 + n))[0] for n in range(3)) == [("A", True), ("B", True), ("C", True)]


def test_no_answer_in_time_is_told_and_asked_again_and_a_late_answer_counts() -> None:
    one = wanted_set(A, B)
    first, second = one.due(0), one.due(1)
    assert one.expired(10) == [Outcome(A, True, NO_ANSWER, False)]
    assert one.expired(11) == [Outcome(B, True, NO_ANSWER, False)]
    assert one.answered(request_id(second), "SUBSCRIBED", 12) == Outcome(B, True, "SUBSCRIBED", True)
    one.expired(20)
    assert asked(one.due(20)) == [("A", True)]
    assert one.answered(request_id(first), "SUBSCRIBED", 20) is None


def test_a_refusal_for_good_is_told_once_and_not_asked_again() -> None:
    one = wanted_set(A, B)
    for now, word in ((0, "MAX_STREAMS_REACHED"), (1, "INVALID_PERMS")):
        outcome = one.answered(request_id(one.due(now)), word, now)
        assert outcome is not None
        assert (outcome.response, outcome.final) == (word, True)
    one.opened(10)
    one.status("CONNECTED")
    one.expired(100)
    assert one.due(100) == []
    one.want([])
    assert one.due(101) == []
    one.want([A])
    assert asked(one.due(102)) == [("A", True)]


def test_each_open_and_each_edge_to_connected_asks_for_the_whole_set() -> None:
    one = wanted_set(A, B)
    for now in (0, 1):
        one.answered(request_id(one.due(now)), "SUBSCRIBED", now)
    assert one.due(5) == []
    one.status("DISCONNECTED")
    one.status("CONNECTED")
    assert asked([*one.due(6), *one.due(7)]) == [("A", True), ("B", True)]
    one.opened(8)
    assert one.due(8) == []
    one.status("CONNECTED")
    assert asked([*one.due(9), *one.due(10)]) == [("A", True), ("B", True)]


def test_what_is_wanted_no_more_is_unsubscribed_also_after_a_reconnect() -> None:
    one = wanted_set(A, B)
    for now in (0, 1):
        one.answered(request_id(one.due(now)), "SUBSCRIBED", now)
    one.want([B])
    first = one.due(5)
    assert asked(first) == [("A", False)]
    one.opened(6)
    one.status("CONNECTED")
    again = [*one.due(6), *one.due(7)]
    assert asked(again) == [("A", False), ("B", True)]
    assert one.answered(request_id(again[:1]), "SUBSCRIBED", 8) == Outcome(A, False, "SUBSCRIBED", True)
    one.opened(9)
    one.status("CONNECTED")
    assert asked([*one.due(9), *one.due(10), *one.due(11)]) == [("B", True)]


def test_what_was_never_asked_is_not_unsubscribed() -> None:
    one = wanted_set(A, B)
    one.due(0)
    one.want([A])
    assert one.due(5) == []


class Terminal(RuleBasedStateMachine):
    """Whatever is wanted, answered, lost and reopened: once all is quiet, the terminal streams just what is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.set = WantedSet(PACE, lambda: 0.5)
        self.now = 0.0
        self.wanted: set[Subscription] = set()
        self.streams: set[str] = set()
        self.unanswered: list[dict[str, Any]] = []
        self.last_id = -1
        self.asked = 0
        self.started_at = 0.0
        self.set.opened(0)

    @rule(wanted=st.sets(st.sampled_from([A, B, C, D])))
    def want(self, wanted: set[Subscription]) -> None:
        self.wanted = wanted
        self.set.want(wanted)

    @rule(seconds=st.sampled_from([0.1, 1, 3, 11, 40]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.set.expired(self.now)
        for message in self.set.due(self.now):
            request = orjson.loads(message)
            assert request["id"] > self.last_id
            self.last_id = request["id"]
            self.asked += 1
            self.unanswered.append(request)

    @precondition(lambda self: self.unanswered)
    @rule(word=st.sampled_from(["SUBSCRIBED", "SUBSCRIBED", "ERROR", "lost"]))
    def answer(self, word: str) -> None:
        request = self.unanswered.pop(0)
        root = request["contract"]["root"]
        if word == "SUBSCRIBED":
            (self.streams.add if request["add"] else self.streams.discard)(root)
        if word != "lost":
            self.set.answered(request["id"], word, self.now)

    @rule(word=st.sampled_from(["CONNECTED", "DISCONNECTED", "UNVERIFIED"]))
    def status(self, word: str) -> None:
        self.set.status(word)

    @rule(restarted=st.booleans())
    def reopen(self, restarted: bool) -> None:
        self.unanswered.clear()
        if restarted:
            self.streams.clear()
        self.set.opened(self.now)

    @invariant()
    def requests_are_paced(self) -> None:
        assert self.asked <= self.now - self.started_at + 1

    def teardown(self) -> None:
        self.set.status("DISCONNECTED")
        self.set.status("CONNECTED")
        for _ in range(200):
            self.wait(1)
            while self.unanswered:
                self.answer("SUBSCRIBED")
        assert self.streams == {one.what.ticker for one in self.wanted if isinstance(one.what, Stock)}
        assert self.set.confirmed == len(self.wanted)


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
