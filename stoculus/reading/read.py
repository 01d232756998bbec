"""The records of a backtest or an export, topic after topic, as Arrow batches, tables, data frames or named tuples."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stoculus.errors import InvalidRequest, SettingsInvalid
from stoculus.reading.feed import Feed, named, topic_of
from stoculus.reading.reader import Reader
from stoculus.reading.source import Request, open_feeds
from stoculus.reading.times import sliced
from stoculus.records.rows import rows
from stoculus.settings import Connections

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Reading(Reader):
    """An iterator of record batches, topic after topic in the order of the request, each topic in its order.

    The metadata of a batch's schema say its `topic`, `symbol` and `schema`. Iterating raises BacktestIncomplete where
    the rest will not come, TopicLost, BrokerUnavailable, RegistryUnavailable, SchemaNotRegistered (with topic and
    offset).
    """

    def __init__(self, request: Request, settings: Connections) -> None:
        super().__init__()
        self._feeds = self._held.enter_context(open_feeds(request, settings))
        self._every = request.every
        self._batches = self._tracked(self._read(self._feeds))

    @property
    def topics(self) -> list[str]:
        return [feed.topic for feed in self._feeds]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def records(self) -> Iterator[Any]:
        """The records one after another, as named tuples; see `stoculus.records.rows`."""
        types = {feed.topic: feed.schema.record for feed in self._feeds}
        for batch in self._batches:
            yield from rows(batch, types[topic_of(batch)])

    def to_tables(self) -> dict[str, pa.Table]:
        """A table of each topic."""
        parts: dict[str, list[pa.RecordBatch]] = {feed.topic: [] for feed in self._feeds}
        for batch in self._batches:
            parts[topic_of(batch)].append(batch)
        return {
            feed.topic: pa.Table.from_batches(parts[feed.topic], named(feed.schema.record.arrow, feed))
            for feed in self._feeds
        }

    def to_table(self) -> pa.Table:
        """One table of all, topic after topic; raise InvalidRequest where they hold different types of records."""
        types = {feed.schema.record.name: feed.schema.record for feed in self._feeds}
        if len(types) != 1:
            raise InvalidRequest(
                f"The topics hold {', '.join(sorted(types)) or 'nothing'}: no one table has their columns.",
                remedy="Choose topics of one type, or use to_tables().",
                field="topics",
            )
        [record] = types.values()
        return pa.Table.from_batches([batch.replace_schema_metadata(None) for batch in self._batches], record.arrow)

    def to_pandas(self) -> "pd.DataFrame":
        """The same as a pandas data frame."""
        _need("pandas")
        frame: pd.DataFrame = self.to_table().to_pandas()
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """The same as a polars data frame."""
        frame: pl.DataFrame = _need("polars").from_arrow(self.to_table())
        return frame

    def _read(self, feeds: Iterable[Feed]) -> Iterator[pa.RecordBatch]:
        for feed in feeds:
            batches = (named(batch, feed) for batch in polled(feed))
            yield from sliced(batches, self._every) if self._every else batches
            feed.close()


def polled(feed: Feed) -> Iterator[pa.RecordBatch]:
    """All that a feed gives, to its end."""
    while not feed.is_done:
        if (batch := feed.poll()) is not None:
            yield batch


def _need(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise SettingsInvalid(f"{package} is not installed.", remedy=f"pip install {package}") from error
