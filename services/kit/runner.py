"""Runs one task to its end, whatever dies: tries, waits out what is transient, records what is not."""

import logging
import threading
from typing import Final

from services.kit.attempt import Attempt
from services.kit.environment import Environment
from services.kit.job import Job
from stoculus.errors import Defect, Fenced, StoculusError, Terminal, Transient, VendorBodyCut, VendorFault

log = logging.getLogger(__name__)

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
FAULTS_TOLERATED: Final = 3
"""Faults of the vendor in a row, without a row in between, before a task fails for them."""


class TaskRunner:
    """One task."""

    def __init__(self, job: Job, environment: Environment) -> None:
        self._job = job
        self._environment = environment
        self._attempt = Attempt(job, environment, tolerate_cut=False)
        self._reason: str | None = None
        self._failures = 0
        self._faults = 0
        self._records = -1

    @property
    def waiting_for(self) -> str | None:
        """Why the task does not get on: the last transient error, until rows flow again."""
        return None if self._attempt.records > self._records else self._reason

    def run(self, stop: threading.Event) -> None:
        """Work until the task is completed, failed, taken over by another runner, or stopped."""
        failure: StoculusError | None = None
        while failure is None and not stop.is_set():
            try:
                with self._environment.lookahead:
                    self._attempt.run(stop)
                return
            except Fenced as error:
                log.info("%s", error)
                return
            except Transient as error:
                failure = self._wait(error, stop)
            except Terminal as error:
                self._environment.meters.errors.note(error)
                failure = error
            except Exception as error:
                log.exception("%s met a defect", self._job.facts.task_id)
                failure = Defect(f"A defect of Stoculus: {error!r}.", remedy="Please report it with the log.")
        if failure is not None:
            self._record(failure, stop)

    def _record(self, failure: StoculusError, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._attempt.record_failure(failure)
                return
            except Fenced:
                return
            except StoculusError as error:
                self._wait(error, stop)

    def _wait(self, error: StoculusError, stop: threading.Event) -> StoculusError | None:
        """Back off exponentially with full jitter, then make ready for the next attempt; or give the error as final."""
        self._environment.meters.errors.note(error)
        if self._attempt.records > self._records:
            self._records, self._failures, self._faults = self._attempt.records, 0, 0
        if isinstance(error, VendorFault) and self._faults >= FAULTS_TOLERATED:
            return error
        self._faults += isinstance(error, VendorFault | VendorBodyCut)
        self._reason = f"{error.code}: {error}"
        log.warning("%s waits: %s", self._job.facts.task_id, self._reason)
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures)
        self._failures += 1
        stop.wait(longest_s * self._environment.random())
        tolerate_cut = self._faults >= FAULTS_TOLERATED
        self._attempt = Attempt(self._job, self._environment, tolerate_cut=tolerate_cut)
        return None
