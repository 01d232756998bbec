"""The account behind the terminal: how many requests at once, what is tried again how often, who holds it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from stoculus.errors import (
    SessionTaken,
    StoculusError,
    TierTooLow,
    Transient,
    VendorBodyCut,
    VendorBusy,
    VendorDisconnected,
    VendorFault,
    VendorSilent,
    VendorStarting,
    VendorUnreachable,
)
from theta_client.protocol import SESSION_TAKEN_REMEDY, Tier, own_tier
from theta_client.transport import Cancelled

Item = TypeVar("Item")
_LOOK_UP_S = 0.1


@dataclass(frozen=True, slots=True)
class Budget:
    """How often a cause is waited out, each time for a random part of `first_s` · 2ⁿ up to `most_s` (full jitter)."""

    attempts: int
    first_s: float
    most_s: float

    def longest_wait_s(self, attempt: int) -> float:
        return float(min(self.most_s, self.first_s * 2 ** min(attempt, 30)))


# For what passes in seconds. Longer troubles are the caller's to wait out, who can tell the user why.
BUDGETS: Mapping[type[Transient], Budget] = {
    VendorBusy: Budget(attempts=8, first_s=0.25, most_s=15),
    VendorDisconnected: Budget(attempts=3, first_s=0.5, most_s=5),
    VendorStarting: Budget(attempts=3, first_s=0.5, most_s=5),
    VendorUnreachable: Budget(attempts=3, first_s=0.25, most_s=5),
    VendorSilent: Budget(attempts=1, first_s=0.5, most_s=5),
    VendorBodyCut: Budget(attempts=1, first_s=0.5, most_s=5),
    VendorFault: Budget(attempts=3, first_s=0.5, most_s=10),
}

# Somebody waits for the answer: better a 503 soon.
HURRIED: Mapping[type[Transient], Budget] = dict.fromkeys(BUDGETS, Budget(attempts=2, first_s=0.25, most_s=1)) | {
    VendorSilent: Budget(attempts=0, first_s=0, most_s=0)
}
_HURRIED_SLOT_S = 5.0


class Account:
    """One Theta account, shared by all threads of a program.

    `status` asks the terminal for its status word; `random` gives numbers in [0, 1); `sleep(seconds, aborted)` waits
    and returns early when `aborted` is set.
    """

    def __init__(
        self,
        tier: Tier,
        status: Callable[[threading.Event], str],
        *,
        budgets: Mapping[type[Transient], Budget],
        sleep: Callable[[float, threading.Event], object],
        random: Callable[[], float],
    ) -> None:
        self._tier = tier
        self._status = status
        self._budgets = budgets
        self._sleep = sleep
        self._random = random
        self._changed = threading.Condition()
        self.under_way = 0
        """Requests that hold a slot."""
        self.waiting = 0
        """Requests that wait for one."""
        self._taken: SessionTaken | None = None

    @property
    def tier(self) -> Tier:
        """The tier as set, or as the last 403 named it."""
        return self._tier

    @property
    def taken(self) -> SessionTaken | None:
        """Set while another login holds the account, as far as is known: by a request that was refused, or a look."""
        return self._taken

    def look(self, aborted: threading.Event) -> None:
        """Ask the terminal whether the account is ours."""
        word = self._word(aborted)
        if word == "CONNECTED":
            self._taken = None
        elif word == "UNVERIFIED" and self._taken is None:
            self._taken = SessionTaken(
                "The Theta Terminal is UNVERIFIED: its account is not accepted, or another terminal has it.",
                remedy=SESSION_TAKEN_REMEDY,
            )

    def fetch(
        self, attempt: Callable[[], Iterator[Item]], aborted: threading.Event, *, hurried: bool = False
    ) -> Iterator[Item]:
        """The items of one request, under the account's concurrency.

        A Transient failure is tried again within its budget as long as no item was yielded, and raised afterwards.
        A `hurried` request gives up within seconds.
        """
        budgets = HURRIED if hurried else self._budgets
        spent: Counter[type[Transient]] = Counter()
        while True:
            yielded = False
            try:
                with self._slot(aborted, _HURRIED_SLOT_S if hurried else None):
                    for item in attempt():
                        yielded = True
                        yield item
                return
            except SessionTaken as error:
                self._taken = error
                raise
            except Transient as error:
                if yielded:
                    raise
                self._wait_out(error, budgets[type(error)], spent, aborted)
            except TierTooLow as error:
                self._learn(own_tier(error.detail))
                raise

    @contextmanager
    def _slot(self, aborted: threading.Event, longest_s: float | None) -> Iterator[None]:
        with self._changed:
            self.waiting += 1
            try:
                self._wait_for_slot(aborted, longest_s)
            finally:
                self.waiting -= 1
            self.under_way += 1
        try:
            self._check_session(aborted)
            yield
        finally:
            with self._changed:
                self.under_way -= 1
                self._changed.notify_all()

    def _wait_for_slot(self, aborted: threading.Event, longest_s: float | None) -> None:
        waited_s = 0.0
        while self.under_way >= self._tier.concurrency:
            self._raise_if(aborted)
            if longest_s is not None and waited_s >= longest_s:
                raise VendorBusy(f"All {self._tier.concurrency} requests that the account may have are under way.")
            self._changed.wait(_LOOK_UP_S)
            waited_s += _LOOK_UP_S
        self._raise_if(aborted)

    def _check_session(self, aborted: threading.Event) -> None:
        if self._taken is not None:
            self.look(aborted)
        if (taken := self._taken) is not None:
            raise SessionTaken(taken.message, remedy=taken.remedy, detail=taken.detail)

    def _word(self, aborted: threading.Event) -> str:
        try:
            return self._status(aborted)
        except StoculusError:  # a terminal that cannot say its status is not connected, whatever the reason
            return ""

    def _wait_out(
        self, error: Transient, budget: Budget, spent: Counter[type[Transient]], aborted: threading.Event
    ) -> None:
        cause = type(error)
        while spent[cause] < budget.attempts:
            self._sleep(self._random() * budget.longest_wait_s(spent[cause]), aborted)
            self._raise_if(aborted)
            spent[cause] += 1
            if cause not in (VendorDisconnected, VendorStarting) or self._word(aborted) == "CONNECTED":
                return
        raise error

    def _learn(self, tier: Tier | None) -> None:
        if tier is not None:
            with self._changed:
                self._tier = tier
                self._changed.notify_all()

    @staticmethod
    def _raise_if(aborted: threading.Event) -> None:
        if aborted.is_set():
            raise Cancelled
