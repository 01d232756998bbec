"""What the tests of the live service share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from typing import Any

import pytest

from tests.conftest import Broker, Registry
from tests.integration.live.harness import Live, running_live
from tests.integration.services.conftest import Read, ServiceOf, checkpoints, new_service, read
from tests.integration.services.harness import Checkpoints

__all__ = ["checkpoints", "new_service", "read"]

Running = Callable[..., AbstractContextManager[Live]]
History = Callable[..., list[tuple[bytes, bytes, int]]]
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def running(broker: Broker, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Start a live service and a simulator of its own. One at a time: they hold a lease."""
    return partial(running_live, broker, registry, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def history(new_service: ServiceOf, checkpoints: Checkpoints, read: Read) -> History:
    """The records of a historical task at a simulator: key, Avro body, event time in ms."""

    def ask(simulator_url: str, program: str, **task: Any) -> list[tuple[bytes, bytes, int]]:
        service = new_service(simulator_url, program).start()
        try:
            task_id = service.start_task({"backtest_id": f"live{next(_NUMBERS)}", "session": "extended", **task})
            checkpoints.completed(task_id)
        finally:
            service.close()
        return [(each.key or b"", (each.value or b"")[5:], each.time_ms) for each in read(task_id)]

    return ask
