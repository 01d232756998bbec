"""The history that is played: a merge that goes on where it was when broker or registry come back."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Final

from stoculus.errors import BrokerUnavailable, RegistryUnavailable
from stoculus.reading.feed import FOREVER_US, Feed
from stoculus.reading.merge import Merge
from stoculus.reading.source import Request, open_feeds
from stoculus.records.catalog import Schema
from stoculus.replay.rows import Mark, Progress, Rows, arranged
from stoculus.replay.times import moment
from stoculus.settings import Connections

_TRY_AGAIN_S: Final = 1.0
_DAY_US: Final = 86_400_000_000


class History:
    """The records of a request. Its start and end are of `available_at`, the time at which they are played.

    Raise NotFound, InvalidRequest, BacktestIncomplete, BrokerUnavailable.
    """

    def __init__(self, request: Request, settings: Connections) -> None:
        self._request = request
        self._settings = settings
        self.start_us, self._end_us = request.span_us
        with open_feeds(request, settings) as feeds:
            self.feeds: list[Feed] = feeds
            """What is known of the topics; they are closed."""
        self._lead_us = max((_lead_us(feed.schema) for feed in feeds), default=0)
        self.trouble = ""
        """What reading waits for, if anything."""

    def rows(self, start_us: int | None, marks: Mapping[int, Mark]) -> Generator[Rows]:
        """The records from a market time on (None: the request's start), without what the marks say is played already.

        Where broker or registry are away it waits for them.
        """
        progress = Progress(marks)
        while True:
            try:
                for rows in self._read(start_us, progress):
                    self.trouble = ""
                    start_us = int(rows.available_us[-1])
                    yield rows
                return
            except (BrokerUnavailable, RegistryUnavailable) as error:
                self.trouble = error.message
                time.sleep(_TRY_AGAIN_S)

    def _read(self, start_us: int | None, progress: Progress) -> Iterator[Rows]:
        start_us = self.start_us if start_us is None else start_us
        end_us = FOREVER_US if self._end_us is None else self._end_us
        if start_us is not None and start_us >= end_us:
            return
        progress.start_over()
        start = None if start_us is None else moment(start_us - self._lead_us)
        end = None if self._end_us is None else moment(self._end_us)
        with Merge(replace(self._request, start=start, end=end), self._settings) as merge:
            for merged in merge.batches():
                inside = (merged.available_us >= (start_us or 0)) & (merged.available_us < end_us)
                kept = progress.rest(merged) & inside
                if kept.any():
                    rows = arranged(merged, self.feeds, kept)
                    progress.advance(merged, kept)
                    yield rows


def _lead_us(schema: Schema) -> int:
    """How long before it is known a record's `ts_event` may be."""
    return schema.delay_us if schema.available_column == "ts_event" else _DAY_US
