"""The rows of a task asked for again, without a topic: what `stoculus verify --against-source` compares with."""

import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Generic, TypeVar

from services.kit.fetch import Lookahead, prefetch
from services.kit.job import Job
from services.kit.memory import MemoryBudget
from services.kit.prepare import Prepared
from stoculus.errors import NoData
from stoculus.settings import ServiceSettings
from stoculus.tasks import HistoricalTask
from theta_client.client import ThetaClient

AnyTask = TypeVar("AnyTask", bound=HistoricalTask)


class VendorSource(Generic[AnyTask]):
    """Implements stoculus.verify.source.Source by the jobs of a service. `close` is called at last."""

    def __init__(
        self,
        settings: ServiceSettings,
        client: ThetaClient,
        job_of: Callable[[AnyTask], Job],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._job_of = job_of
        self._close = close
        self._budget = MemoryBudget(settings.memory_budget_mb * 2**20)
        self._lookahead = Lookahead(lambda: client.tier.concurrency)

    def fetch(self, task: AnyTask) -> Generator[Prepared]:
        """The rows of a task in order, in blocks; the next chunks are under way meanwhile. Raise vendor errors."""
        job, stop = self._job_of(task), threading.Event()
        read = partial(job.read, tolerate_cut=False)
        with self._lookahead:
            for chunk in prefetch(read, job.facts.windows, self._lookahead, self._budget, stop):
                try:
                    yield from chunk.blocks(stop)
                except NoData as error:
                    job.explain_no_data(error)

    def close(self) -> None:
        """Let go of the terminal."""
        self._lookahead.threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        self._close()
