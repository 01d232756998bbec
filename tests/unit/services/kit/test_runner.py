import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from services.kit import runner
from services.kit.meters import TaskMeters
from stoculus.errors import BrokerRefused, StoculusError


class Refused:
    """An attempt that the broker refuses, as it does at first to be told of it."""

    records = 0
    told: list[StoculusError]
    refusals: int

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def run(self, _: threading.Event) -> None:
        raise BrokerRefused("No right.")

    def record_failure(self, error: StoculusError) -> None:
        if Refused.refusals:
            Refused.refusals -= 1
            raise BrokerRefused("No right to say so.")
        Refused.told.append(error)


def test_a_task_that_the_broker_refuses_fails_once_the_broker_takes_the_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Refused.told, Refused.refusals = [], 3
    monkeypatch.setattr(runner, "Attempt", Refused)
    job: Any = SimpleNamespace(facts=SimpleNamespace(task_id="task"))
    environment: Any = SimpleNamespace(lookahead=nullcontext(), random=lambda: 0.0, meters=TaskMeters())

    runner.TaskRunner(job, environment).run(threading.Event())

    assert [error.message for error in Refused.told] == ["No right."]
