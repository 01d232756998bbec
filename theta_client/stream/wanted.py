"""The wanted set: which request is due next, and what its answer means. Knows no socket and no clock of its own."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import Final

from theta_client.stream.subscription import Subscription

CONNECTED: Final = "CONNECTED"
SUBSCRIBED: Final = "SUBSCRIBED"
NO_ANSWER: Final = "NO_ANSWER"
_FINAL: Final = frozenset({"MAX_STREAMS_REACHED", "INVALID_PERMS"})
_CATCH_UP_S: Final = 0.1

# An id that comes twice in the life of a terminal breaks its own re-subscription: one counter for the process.
_ids: Final[Iterator[int]] = count()


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are spaced. A burst of them has made terminals drop their upstream link."""

    between_requests_s: float = 0.01
    answer_timeout_s: float = 10.0
    login_grace_s: float = 3.0
    first_retry_s: float = 1.0
    most_retry_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: the terminal's word, or NO_ANSWER. `final`: it is not asked again by itself."""

    subscription: Subscription
    add: bool
    response: str
    final: bool


class _State(Enum):
    TO_ASK = auto()
    ASKED = auto()
    TO_RETRY = auto()
    ON = auto()
    REFUSED = auto()


@dataclass(slots=True)
class _Entry:
    state: _State = _State.TO_ASK
    request_id: int | None = None  # of the last request, while its answer counts
    due_at: float = 0.0  # end of the wait for an answer, or the next try
    add: bool = False
    ever_asked: bool = False
    failures: int = 0


class WantedSet:
    """Brings what the terminal streams to what is wanted, a request at a time. Not thread-safe.

    While the terminal is not CONNECTED one request at a time is under way: the first one makes a cold terminal log in,
    and thousands of them would only be refused. `random` gives numbers in [0, 1).
    """

    def __init__(self, pace: Pace, random: Callable[[], float]) -> None:
        self._pace = pace
        self._random = random
        self._wanted: dict[Subscription, None] = {}
        self._entries: dict[Subscription, _Entry] = {}
        self._queue: deque[Subscription] = deque()
        self._by_id: dict[int, Subscription] = {}
        self._timers: list[tuple[float, int]] = []
        self._under_way = 0
        self._confirmed = 0
        self._word = ""
        self._next_at = 0.0
        self._probe_at = 0.0
        self._failures = 0

    @property
    def connected(self) -> bool:
        return self._word == CONNECTED

    @property
    def confirmed(self) -> int:
        """How many subscriptions the terminal has confirmed since the last open or edge to CONNECTED."""
        return self._confirmed

    def want(self, wanted: Iterable[Subscription]) -> None:
        """Replace the wanted set. What was refused for good is asked again when it left the set and came back."""
        new = dict.fromkeys(wanted)
        gone = [one for one in self._wanted if one not in new]
        come = [one for one in new if one not in self._wanted]
        self._wanted = new
        for one in gone:
            entry = self._entries[one]
            if entry.ever_asked and entry.state is not _State.REFUSED:
                self._enqueue(one, entry)
            else:
                self._forget(one)
        for one in come:
            self._enqueue(one, self._entries.setdefault(one, _Entry()))

    def opened(self, now: float) -> None:
        """A connection is open: after the grace, or when CONNECTED comes, all is asked anew."""
        self._word = ""
        self._probe_at = now + self._pace.login_grace_s
        self._start_anew()

    def status(self, word: str) -> bool:
        """Take the terminal's status word. True where it changed; on an edge to CONNECTED all is asked anew."""
        if word == self._word:
            return False
        self._word = word
        if word == CONNECTED:
            self._start_anew()
        return True

    def answered(self, request_id: int, response: str, now: float) -> Outcome | None:
        """Take the answer to a request; None where it is to none that counts any more."""
        one = self._by_id.get(request_id)
        if one is None:
            return None
        entry = self._entries[one]
        if response == SUBSCRIBED or response in _FINAL:
            self._settle(one, entry, response)
            return Outcome(one, entry.add, response, True)
        return self._fail(one, entry, response, now) if entry.state is _State.ASKED else None

    def expired(self, now: float) -> list[Outcome]:
        """Requests whose time-out is over; retries that are due are queued."""
        outcomes = []
        while self._timers and self._timers[0][0] <= now:
            due_at, request_id = heapq.heappop(self._timers)
            one = self._by_id.get(request_id)
            if one is None or (entry := self._entries[one]).due_at != due_at:
                continue
            if entry.state is _State.ASKED:
                outcomes.append(self._fail(one, entry, NO_ANSWER, now))
            else:
                self._enqueue(one, entry)
        return outcomes

    def due(self, now: float) -> list[bytes]:
        """The requests to send now."""
        requests: list[bytes] = []
        self._next_at = max(self._next_at, now - _CATCH_UP_S)
        while self._queue and self._next_at <= now and self._may_ask(now):
            one = self._queue.popleft()
            entry = self._entries.get(one)
            if entry is not None and entry.state is _State.TO_ASK:
                requests.append(self._ask(one, entry, now))
                self._next_at += self._pace.between_requests_s
        return requests

    def _may_ask(self, now: float) -> bool:
        return self.connected or (now >= self._probe_at and not self._under_way)

    def _ask(self, one: Subscription, entry: _Entry, now: float) -> bytes:
        request_id = next(_ids)
        entry.state, entry.request_id, entry.ever_asked = _State.ASKED, request_id, True
        entry.add = one in self._wanted
        entry.due_at = now + self._pace.answer_timeout_s
        self._by_id[request_id] = one
        self._under_way += 1
        heapq.heappush(self._timers, (entry.due_at, request_id))
        return one.request(request_id, add=entry.add)

    def _settle(self, one: Subscription, entry: _Entry, response: str) -> None:
        self._leave(entry)
        if not entry.add:
            del self._entries[one]
            return
        if response == SUBSCRIBED:
            entry.state, entry.failures = _State.ON, 0
            self._confirmed += 1
            self._failures, self._probe_at = 0, 0.0
        else:
            entry.state = _State.REFUSED

    def _fail(self, one: Subscription, entry: _Entry, response: str, now: float) -> Outcome:
        self._under_way -= 1
        entry.state = _State.TO_RETRY
        entry.due_at = now + self._retry_s(entry.failures)
        entry.failures += 1
        assert entry.request_id is not None  # noqa: S101 - it has just been asked
        heapq.heappush(self._timers, (entry.due_at, entry.request_id))
        if not self.connected:
            self._probe_at = now + self._retry_s(self._failures)
            self._failures += 1
        return Outcome(one, entry.add, response, False)

    def _retry_s(self, failures: int) -> float:
        most = min(self._pace.most_retry_s, self._pace.first_retry_s * 2 ** min(failures, 30))
        return float(most * (1 + self._random()) / 2)

    def _start_anew(self) -> None:
        self._failures = 0
        self._queue.clear()
        for one, entry in self._entries.items():
            if entry.state is not _State.REFUSED:
                entry.failures = 0
                self._enqueue(one, entry)

    def _enqueue(self, one: Subscription, entry: _Entry) -> None:
        self._leave(entry)
        entry.state = _State.TO_ASK
        self._queue.append(one)

    def _forget(self, one: Subscription) -> None:
        self._leave(self._entries.pop(one))

    def _leave(self, entry: _Entry) -> None:
        """The entry leaves its state: its last request's answer no longer counts."""
        if entry.state is _State.ASKED:
            self._under_way -= 1
        elif entry.state is _State.ON:
            self._confirmed -= 1
        if entry.request_id is not None:
            del self._by_id[entry.request_id]
            entry.request_id = None
