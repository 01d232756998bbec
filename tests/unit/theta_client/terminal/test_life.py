from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from theta_client.terminal.life import Life, Limits, State
from theta_client.terminal.marks import Mark
from theta_client.terminal.probe import Answer

LIMITS = Limits()
CONNECTED, UNVERIFIED, LOST = (Answer(200, word) for word in ("CONNECTED", "UNVERIFIED", "DISCONNECTED"))
SILENT, CLOSED, TAKEN = Answer(is_silent=True), Answer(), Answer(478, "Invalid session ID.")
EVERY_S = LIMITS.probe_every_s


def state_of(life: Life) -> State:
    return life.state


def started(random: float = 0.5) -> Life:
    life = Life(LIMITS, lambda: random)
    assert life.due(0) == "start"
    life.started(0)
    return life


def running(random: float = 0.5) -> Life:
    life = started(random)
    life.probed(CONNECTED, 1)
    return life


def probed_for(life: Life, answer: Answer, seconds: float, now: float = 10) -> float:
    """The same answer for so long; when it was last asked."""
    until = now + seconds
    while now < until:
        life.probed(answer, now)
        now += EVERY_S
    return now


def test_a_terminal_that_updates_itself_for_minutes_is_let_be() -> None:
    life = started()
    life.marked(Mark.UPDATING, 1)
    now = probed_for(life, CLOSED, 600)

    assert (state_of(life), life.due(now)) == (State.STARTING, None)
    assert "updates itself" in life.reason
    life.marked(Mark.SERVING, now)
    life.probed(CONNECTED, now)
    assert (state_of(life), life.up_since) == (State.RUNNING, now)


def test_a_terminal_that_never_comes_up_is_ended_and_started_again() -> None:
    life = started()

    assert life.due(LIMITS.start_s) == "stop"
    assert state_of(life) is State.HUNG
    life.ended(-15, 901)
    assert state_of(life) is State.ENDED
    assert "not come up" in life.reason


def test_one_that_listens_and_does_not_answer_is_ended() -> None:
    life = running()
    now = probed_for(life, SILENT, LIMITS.silent_probes * EVERY_S)

    assert (state_of(life), life.due(now), life.up_since) == (State.HUNG, "stop", None)


def test_one_whose_port_is_closed_though_it_was_up_is_ended_too() -> None:
    life = running()
    probed_for(life, CLOSED, LIMITS.silent_probes * EVERY_S)

    assert state_of(life) is State.HUNG


def test_one_that_is_too_busy_for_its_word_lives() -> None:
    life = running()
    now = probed_for(life, Answer(429, "Too many requests"), 3600)

    assert (state_of(life), life.due(now)) == (State.RUNNING, None)


def test_one_that_lost_its_servers_is_let_be_and_one_that_has_failed_is_not() -> None:
    life = running()
    now = probed_for(life, LOST, 3600)
    assert (state_of(life), life.due(now)) == (State.LOST, None)

    probed_for(life, Answer(200, "ERROR"), LIMITS.failing_s + 2 * EVERY_S, now)
    assert state_of(life) is State.HUNG
    assert "ERROR" in life.reason


@pytest.mark.parametrize("failures", [1, 5, 20])
def test_what_ends_again_and_again_is_started_with_growing_waits_up_to_a_limit(failures: int) -> None:
    life, now = started(0.999), 0.0
    for _ in range(failures):
        life.ended(1, now)
        begun = now
        while life.due(now) is None:
            now += 0.1
        life.started(now)
    waited_s = now - begun

    longest = LIMITS.restarts.longest_wait_s(failures - 1)
    assert longest * 0.9 < waited_s <= longest + 0.2
    assert waited_s <= 301


def test_one_that_was_healthy_for_long_is_started_again_soon() -> None:
    life = started(0.999)
    for _ in range(8):
        life.ended(1, 0)
        life.started(0)
    now = probed_for(life, CONNECTED, LIMITS.healthy_s + 2 * EVERY_S, 0)
    life.ended(137, now)

    assert "exit code 137" in life.reason
    assert life.due(now + 1) == "start"


@pytest.mark.parametrize("by", ["its log", "its word", "its end"])
def test_credentials_that_are_refused_are_not_tried_again_in_a_hurry(by: str) -> None:
    life = started()
    if by == "its word":
        now = probed_for(life, UNVERIFIED, LIMITS.login_s + 2 * EVERY_S)
    else:
        life.marked(Mark.REFUSED, 10)
        now = 10
    if by != "its end":
        assert life.due(now) == "stop"
    life.ended(1, now)

    assert state_of(life) is State.REFUSED
    assert "STOCULUS_THETA_PASSWORD" in life.remedy
    assert life.due(now + LIMITS.retries.first_s / 2 - 60) is None
    assert life.due(now + LIMITS.retries.first_s) == "start"


def test_a_login_takes_a_moment() -> None:
    life = started()
    now = probed_for(life, UNVERIFIED, LIMITS.login_s / 2)
    assert state_of(life) is State.STARTING

    life.probed(CONNECTED, now)
    assert state_of(life) is State.RUNNING


@pytest.mark.parametrize("answer", [TAKEN, UNVERIFIED])
def test_one_that_is_kicked_out_stays_up_and_waits(answer: Answer) -> None:
    life = running()
    now = probed_for(life, answer, LIMITS.kicked_s + 2 * EVERY_S)

    assert (state_of(life), life.due(now)) == (State.TAKEN, None)
    assert "other terminal" in life.remedy
    assert life.due(now + LIMITS.retries.first_s / 2 - 60) is None
    assert life.due(now + LIMITS.retries.first_s) == "stop"
    life.ended(143, now + LIMITS.retries.first_s)
    assert life.due(now + LIMITS.retries.first_s) == "start"


def test_one_that_was_kicked_out_and_is_free_again_goes_on() -> None:
    life = running()
    life.probed(TAKEN, 10)
    life.probed(SILENT, 20)
    assert state_of(life) is State.TAKEN

    life.probed(CONNECTED, 30)
    assert (state_of(life), life.due(10_000)) == (State.RUNNING, None)


def test_one_that_dies_while_another_has_the_account_is_not_started_in_a_hurry() -> None:
    life = running()
    life.probed(TAKEN, 10)
    life.ended(1, 11)

    assert (state_of(life), life.due(600)) == (State.TAKEN, None)


def test_two_supervisors_that_kick_each_other_do_it_ever_more_seldom() -> None:
    life, now, waits = running(), 10.0, []
    for _ in range(6):
        life.probed(TAKEN, now)
        kicked = now
        while life.due(now) is None:
            now += 10
        waits.append(now - kicked)
        life.ended(143, now)
        life.started(now)
        life.probed(CONNECTED, now + 1)
        now += 60

    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]


def test_what_is_in_the_way_is_looked_at_again() -> None:
    life = Life(LIMITS, lambda: 0.5)
    life.blocked("Something listens on the port.", "End it.", 0)

    assert (state_of(life), life.due(1), life.due(LIMITS.blocked_s)) == (State.BLOCKED, None, "start")


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, obeyed at once or late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.chance = 0.0
        self.lives = False
        self.was_connected = False
        self.life = Life(LIMITS, lambda: self.chance)
        self.held_since: float | None = None

    @rule(seconds=st.floats(0, 20_000), chance=st.floats(0, 0.999))
    def time_passes(self, seconds: float, chance: float) -> None:
        self.now += seconds
        self.chance = chance

    @rule(answer=st.sampled_from([CONNECTED, UNVERIFIED, LOST, SILENT, CLOSED, TAKEN, Answer(200, "x"), Answer(500)]))
    def probe(self, answer: Answer) -> None:
        self._watched(lambda: self.life.probed(answer, self.now))
        self.was_connected |= answer is CONNECTED and self.lives

    @rule(mark=st.sampled_from(Mark))
    def log(self, mark: Mark) -> None:
        self._watched(lambda: self.life.marked(mark, self.now))

    @precondition(lambda self: self.lives)
    @rule(code=st.integers(-15, 255))
    def die(self, code: int) -> None:
        self._watched(lambda: self.life.ended(code, self.now))
        self.lives = False

    @rule(is_blocked=st.booleans())
    def obey(self, is_blocked: bool) -> None:
        act = self.life.due(self.now)
        if act == "stop":
            assert self.lives
            self.die(143)
        elif act == "start":
            assert not self.lives
            if self.held_since is not None:
                assert self.now - self.held_since >= LIMITS.retries.first_s / 2
            if is_blocked:
                self.life.blocked("it", "", self.now)
            else:
                self.life.started(self.now)
                self.lives, self.was_connected, self.held_since = True, False, None

    def _watched(self, event: Any) -> None:
        before = self.life.state
        event()
        after = self.life.state
        if after in (State.REFUSED, State.TAKEN) and after is not before:
            self.held_since = self.now
        elif after is State.RUNNING:
            self.held_since = None

    @invariant()
    def what_is_said_is_true(self) -> None:
        life = self.life
        assert (life.up_since is not None) == (life.state is State.RUNNING)
        assert life.state is not State.RUNNING or (self.lives and self.was_connected)
        assert life.state not in (State.LOST, State.HUNG) or self.lives
        assert life.state is not State.STARTING or self.lives or not life.starts
        assert life.state not in (State.ENDED, State.BLOCKED) or not self.lives
        assert life.reason

    @invariant()
    def it_is_started_again_at_last(self) -> None:
        if not self.lives:
            assert self.life.due(self.now + LIMITS.retries.most_s) == "start"


TestAnyLife = AnyLife.TestCase
