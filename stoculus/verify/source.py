"""The vendor, asked again: the entry-point group `stoculus.sources`, one entry an asset (`stock`, `option`).

The value of an entry is an `Open`. `stoculus` itself knows no vendor.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import entry_points
from typing import Any, Final, Protocol, Self

import numpy as np
import pyarrow as pa

from stoculus.errors import SettingsInvalid
from stoculus.records.catalog import Asset
from stoculus.tasks import HistoricalTask
from stoculus.verify.rows import Rows

GROUP: Final = "stoculus.sources"


class Fetched(Protocol):
    """Rows as they would be written: one key for all or one a row, event times (UTC), Avro bodies; and what is not."""

    @property
    def keys(self) -> bytes | pa.StringArray: ...
    @property
    def ts_event(self) -> pa.TimestampArray: ...
    @property
    def bodies(self) -> pa.BinaryArray: ...
    @property
    def bad_rows(self) -> Collection[object]: ...
    @property
    def empty_rows(self) -> int: ...


class Source(Protocol):
    """Asks the vendor for tasks of one asset. Raises the vendor errors of `stoculus.errors`."""

    def fetch(self, task: Any) -> Generator[Fetched]:
        """The rows of a task in order, in blocks. Closed early, it asks for no more."""
        ...

    def close(self) -> None: ...


Open = Callable[[Mapping[str, str]], Source]
"""Makes a source by the settings of an environment; raises SettingsInvalid."""


class Sources:
    """The sources that are asked for, opened when they are first."""

    def __init__(self, environment: Mapping[str, str], stack: ExitStack) -> None:
        self._environment = environment
        self._stack = stack
        self._open: dict[Asset, Source] = {}

    def fetch(self, asset: Asset, task: HistoricalTask) -> "Refetch":
        """The rows of a task, asked for now. Raise SettingsInvalid where the suite is not installed."""
        if asset not in self._open:
            self._open[asset] = source = _load(asset)(self._environment)
            self._stack.callback(source.close)
        return Refetch(self._open[asset].fetch(task))


class Refetch:
    """The rows of a task as the vendor sends them now; what is left out is counted as they come."""

    def __init__(self, blocks: Generator[Fetched]) -> None:
        self._blocks = blocks
        self.records = 0
        self.empty_rows = 0
        self.bad_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.close()

    def rows(self) -> Iterator[Rows]:
        """The rows in order, numbered from 0."""
        for block in self._blocks:
            count = len(block.bodies)
            self.empty_rows += block.empty_rows
            self.bad_rows += len(block.bad_rows)
            if not count:
                continue
            keys: Any = block.keys
            is_one = isinstance(keys, bytes)
            keys = pa.repeat(pa.scalar(keys, pa.binary()), count) if is_one else keys.cast(pa.binary())
            times: Any = block.ts_event.cast(pa.int64()).to_numpy()
            yield Rows(np.arange(self.records, self.records + count), keys, times, block.bodies)
            self.records += count


@contextmanager
def open_sources(environment: Mapping[str, str]) -> Iterator[Sources]:
    """The sources of an environment's settings, closed at the end."""
    with ExitStack() as stack:
        yield Sources(environment, stack)


def _load(asset: Asset) -> Open:
    for entry in entry_points(group=GROUP, name=asset):
        try:
            opener: Open = entry.load()
        except ModuleNotFoundError as error:
            raise _not_installed(asset, error.name or "") from error
        return opener
    raise _not_installed(asset, f"the entry point {GROUP}: {asset}")


def _not_installed(asset: Asset, what: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"To ask the vendor for {asset}s {what} is needed, which is not installed.",
        remedy="Install the suite: pip install 'stoculus[suite]' (in a checkout: make setup).",
    )
