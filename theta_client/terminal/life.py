"""The states of a terminal: what is seen of it, and what is to be done. Knows no process and no clock of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from theta_client.session import Budget
from theta_client.terminal.marks import Mark
from theta_client.terminal.probe import Answer

Act = Literal["start", "stop"]

_ONE: Final = (
    "An account has one session. Stop the other terminal or library that uses it, then restart this one; "
    "or wait, it tries again by itself, seldom."
)
_CREDENTIALS: Final = "Correct STOCULUS_THETA_EMAIL and STOCULUS_THETA_PASSWORD (or their files), then restart it."
_LOG: Final = "Its log says why."


class State(StrEnum):
    """What a terminal is doing."""

    STARTING = "starting"
    RUNNING = "running"
    LOST = "lost"
    """It answers, and has lost the vendor's servers; it connects again by itself."""
    REFUSED = "refused"
    """The vendor does not take its credentials."""
    TAKEN = "taken"
    """Another terminal has logged in on the account."""
    HUNG = "hung"
    """It listens and does not answer."""
    ENDED = "ended"
    BLOCKED = "blocked"
    """It is not started: something is in its way."""


_RESTARTS: Final = Budget(attempts=0, first_s=1.0, most_s=300.0)
_RETRIES: Final = Budget(attempts=0, first_s=1_800.0, most_s=14_400.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may take. `restarts` are spaced with full jitter.

    `retries` space what would harm in a hurry: a login with credentials that were refused, or one that takes the
    account back; the waits are never below half.
    """

    start_s: float = 900.0
    probe_every_s: float = 2.0
    answer_s: float = 5.0
    silent_probes: int = 6
    kicked_s: float = 10.0
    login_s: float = 60.0
    restarts: Budget = _RESTARTS
    retries: Budget = _RETRIES
    failing_s: float = 120.0
    blocked_s: float = 10.0
    healthy_s: float = 300.0
    settled_s: float = 21_600.0


class Life:
    """Tell it what happens; `due` says what to do. `random` gives numbers in [0, 1); times are monotonic seconds."""

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self.state = State.STARTING
        self.reason = "It is about to be started."
        self.remedy = ""
        self.starts = 0
        self.up_since: float | None = None
        self._limits = limits
        self._random = random
        self._lives = False
        self._next_start = 0.0
        self._started = 0.0
        self._was_connected = False
        self._unverified_since: float | None = None
        self._silent = 0
        self._told: Mark | None = None
        self._has_answered = False
        self._failing_since: float | None = None
        self._failures = 0
        self._retries = 0

    def due(self, now: float) -> Act | None:
        """What is to be done now."""
        if not self._lives:
            return "start" if now >= self._next_start else None
        if self.state is State.STARTING and now - self._started >= self._limits.start_s:
            self._set(State.HUNG, f"It has not come up in {self._limits.start_s / 60:g} minutes.", _LOG)
        if self.state in (State.HUNG, State.REFUSED):
            return "stop"
        return "stop" if self.state is State.TAKEN and now >= self._next_start else None

    def started(self, now: float) -> None:
        """A jar was started."""
        self._lives = True
        self.starts += 1
        self._started = now
        self._was_connected = False
        self._unverified_since = None
        self._silent = 0
        self._told = None
        self._has_answered = False
        self._failing_since = None
        self._set(State.STARTING, "It has been started. It may update itself first, which takes minutes.")

    def blocked(self, reason: str, remedy: str, now: float) -> None:
        """It could not be started."""
        self._next_start = now + self._limits.blocked_s
        self._set(State.BLOCKED, reason, remedy)

    def ended(self, code: int, now: float) -> None:
        """The jar has ended."""
        self._lives = False
        if self.state in (State.REFUSED, State.TAKEN):
            return
        if self._told is Mark.TAKEN:
            self._hold_off(State.TAKEN, "Another terminal or library has logged in on the account.", _ONE, now)
            return
        wait_s = self._random() * self._limits.restarts.longest_wait_s(self._failures)
        self._failures += 1
        self._next_start = now + wait_s
        why = f"{self.reason} It was ended" if self.state is State.HUNG else f"It has ended with exit code {code}"
        self._set(State.ENDED, f"{why}, and is started again in {wait_s:.0f} s.", _LOG)

    def marked(self, mark: Mark, now: float) -> None:
        """Its log said something that matters."""
        if mark is Mark.REFUSED and not self._was_connected and self.state in (State.STARTING, State.LOST):
            self._refuse(now)
        elif mark is Mark.TAKEN:
            self._told = mark
        elif self.state is State.STARTING and mark is Mark.UPDATING:
            self.reason = "It updates itself, which takes minutes."
        elif self.state is State.STARTING and mark is Mark.SERVING:
            self.reason = "Its server starts."

    def probed(self, answer: Answer, now: float) -> None:
        """It was asked for its status word."""
        if not self._lives or self.state in (State.HUNG, State.REFUSED):
            return
        if answer.word == "CONNECTED":
            self._connected(now)
        elif self.state is State.TAKEN:
            return
        elif answer.is_silent or answer.is_closed:
            # Nobody listens before it is up: it may update itself.
            self._missed(counts=answer.is_silent or self._has_answered)
        else:
            self._answered(answer, now)

    def _answered(self, answer: Answer, now: float) -> None:
        self._silent, self._has_answered = 0, True
        if answer.word == "UNVERIFIED" or answer.is_taken:
            self._unverified(answer, now)
        elif answer.word == "DISCONNECTED":
            self._failing_since = self._unverified_since = None
            self._lose(answer.told)
        elif not answer.is_busy:
            self._failing_since = now if self._failing_since is None else self._failing_since
            self._lose(answer.told)
            if now - self._failing_since >= self._limits.failing_s:
                self._set(State.HUNG, f"It has failed: it says {answer.told}.", _LOG)

    def _connected(self, now: float) -> None:
        self._silent, self._has_answered, self._was_connected = 0, True, True
        self._unverified_since = self._failing_since = self._told = None
        if self.state is not State.RUNNING:
            self._set(State.RUNNING, "It is connected.")
            self.up_since = now
        up_s = now - (now if self.up_since is None else self.up_since)
        self._failures = 0 if up_s >= self._limits.healthy_s else self._failures
        self._retries = 0 if up_s >= self._limits.settled_s else self._retries

    def _unverified(self, answer: Answer, now: float) -> None:
        self._unverified_since = now if self._unverified_since is None else self._unverified_since
        is_told = self._told is Mark.TAKEN or answer.is_taken
        patience_s = self._limits.kicked_s if self._was_connected else self._limits.login_s
        if not is_told and now - self._unverified_since < patience_s:
            self._lose(answer.told)
        elif is_told or self._was_connected:
            self._hold_off(State.TAKEN, "Another terminal or library has logged in on the account.", _ONE, now)
        else:
            self._refuse(now)

    def _missed(self, *, counts: bool) -> None:
        self._silent += counts
        if self._silent >= self._limits.silent_probes:
            self._set(State.HUNG, f"It has not answered {self._silent} times.", _LOG)

    def _lose(self, told: str) -> None:
        if self.state is State.STARTING and not self._was_connected:
            self.reason = f"It logs in: it says {told}."
        else:
            self._set(State.LOST, f"It is not connected to the vendor: it says {told}.", "It connects again by itself.")

    def _refuse(self, now: float) -> None:
        reason = "The vendor does not take its credentials, or another terminal holds the account."
        self._hold_off(State.REFUSED, reason, _CREDENTIALS, now)

    def _hold_off(self, state: State, reason: str, remedy: str, now: float) -> None:
        """Never in a hurry: it would lock the account, or kick out whoever holds it."""
        wait_s = (1 + self._random()) / 2 * self._limits.retries.longest_wait_s(self._retries)
        self._retries += 1
        self._next_start = now + wait_s
        self._set(state, f"{reason} It tries again in {wait_s / 60:.0f} minutes, or when it is restarted.", remedy)

    def _set(self, state: State, reason: str, remedy: str = "") -> None:
        self.state, self.reason, self.remedy = state, reason, remedy
        self.up_since = None
