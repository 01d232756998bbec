"""What a service brings to run a task: the slice of work that is its own."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from services.kit.prepare import Prepared
from stoculus.checkpoints import VendorRequest
from stoculus.errors import NoData
from stoculus.records.catalog import RecordType
from theta_client.client import Window


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What does not change while a task runs."""

    task_id: str
    backtest_id: str
    schema_name: str
    symbol: str
    record: RecordType
    windows: list[Window]
    request: VendorRequest
    attempt: int
    max_bad_rows: int


class Job(Protocol):
    """A task as its service understands it."""

    @property
    def facts(self) -> JobFacts: ...

    def read(self, window: Window, aborted: threading.Event, *, tolerate_cut: bool) -> Iterator[Prepared]:
        """The rows of a chunk, prepared, in order. Raises vendor errors; NoData where the vendor has nothing."""
        ...

    def explain_no_data(self, error: NoData) -> str:
        """Why an empty chunk is right; raise InvalidRequest where the vendor does not know the instrument."""
        ...
