"""Runs one task to its end, whatever dies: tries, waits out what is transient, records what is not."""

import logging
import threading
from typing import Final

from services.kit.attempt import Attempt
from services.kit.environment import Environment
from services.kit.job import Job
from services.kit.writer import QuarantinedRow
from stoculus.errors import Defect, Fenced, StoculusError, Terminal, Transient, VendorBodyCut, VendorFault

log = logging.getLogger(__name__)

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
FAULTS_TOLERATED: Final = 3
"""Faults of the vendor in a row, without a row in between, before a task fails for them."""


class TaskRunner:
    """One task. `waiting_for` says why it does not get on, else it is None."""

    def __init__(self, job: Job, environment: Environment) -> None:
        self._job = job
        self._environment = environment
        self._failures = 0
        self._faults = 0
        self._records = -1
        self.waiting_for: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until the task is completed, failed, taken over by another runner, or stopped."""
        failure: tuple[StoculusError, list[QuarantinedRow]] | None = None
        while not stop.is_set():
            attempt = Attempt(self._job, self._environment, tolerate_cut=self._faults >= FAULTS_TOLERATED)
            try:
                with self._environment.lookahead:
                    attempt.run(stop) if failure is None else attempt.record_failure(*failure)
                return
            except Fenced:
                return
            except Transient as error:
                self._note_progress(attempt.records)
                if isinstance(error, VendorFault) and self._faults >= FAULTS_TOLERATED:
                    failure = error, []
                self._faults += isinstance(error, VendorFault | VendorBodyCut)
                self._wait(error, stop)
            except Terminal as error:
                if failure is not None:
                    log.error("%s failed, and that could not be recorded: %s", self._job.facts.task_id, error)
                    return
                failure = error, attempt.evidence
            except Exception as error:
                log.exception("%s met a defect", self._job.facts.task_id)
                failure = Defect(f"A defect of Stoculus: {error!r}.", remedy="Please report it with the log."), []

    def _note_progress(self, records: int) -> None:
        self.waiting_for = None
        if records > self._records:
            self._records, self._failures, self._faults = records, 0, 0

    def _wait(self, error: Transient, stop: threading.Event) -> None:
        """Exponential back-off with full jitter."""
        self.waiting_for = f"{error.code}: {error}"
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures)
        self._failures += 1
        stop.wait(longest_s * self._environment.random())
        self.waiting_for = None
