"""Where records come from: `kafka:backtest/42` or `file:exports/42`, and the feeds of it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote

from stoculus.errors import InvalidRequest
from stoculus.reading.backtest import BacktestLog
from stoculus.reading.decoding import Decoder
from stoculus.reading.feed import Feed
from stoculus.reading.files import open_files
from stoculus.reading.times import MarketTime, end_us, start_us
from stoculus.reading.topic_feed import TopicFeed
from stoculus.settings import Connections

_PREFETCH_MESSAGES: Final = 200_000
"""What all feeds of a reader may hold together, but for a least number each."""
_LEAST_PREFETCH: Final = 2_000
_REMEDY: Final = "Name a backtest (42), kafka:backtest/42, or the folder of an export: file:exports/42."


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be read. `topics`: all where None. `start` is included, `end` excluded, but a bare day is included."""

    source: str
    topics: Sequence[str] | None = None
    start: MarketTime | None = None
    end: MarketTime | None = None
    every: str | None = None
    partial: bool = False

    @classmethod
    def of(cls, source: str | int, **given: Any) -> Self:
        """A request from a backtest's id or a URL, whose query may say the same as the arguments.

        Raise InvalidRequest for a query that is unknown, or that says what an argument says, too.
        """
        where, _, query = str(source).partition("?")
        told: dict[str, Any] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in {each.name for each in fields(cls)} - {"source"} or given.get(name):
                raise InvalidRequest(
                    f"{name[:40]!r} in {str(source)[:200]!r} is unknown, or said twice.",
                    remedy="A URL's query may have topics (by commas), start, end, every, partial (true).",
                    field="source",
                )
            told[name] = {"topics": value.split(","), "partial": value.lower() == "true"}.get(name, value)
        return cls(**(given | {"source": where} | told))

    @property
    def span_us(self) -> tuple[int | None, int | None]:
        """Start and end in microseconds since the epoch. Raise InvalidRequest where the end is before the start."""
        start = None if self.start is None else start_us(self.start)
        end = None if self.end is None else end_us(self.end)
        if start is not None and end is not None and end <= start:
            raise InvalidRequest(
                f"The end {self.end} is not after the start {self.start}.",
                remedy="The end is excluded; a day without a time is included.",
                field="end",
            )
        return start, end


@contextmanager
def open_feeds(request: Request, settings: Connections) -> Iterator[list[Feed]]:
    """The feeds that a request names, in the order of the backtest's request, closed at the end.

    Raise NotFound, BacktestIncomplete, InvalidRequest, BrokerUnavailable; see the feeds for more.
    """
    scheme, _, rest = request.source.rpartition(":")
    start, end = request.span_us
    with ExitStack() as stack:
        feeds: list[Feed] = []
        if scheme == "file":
            path = Path(unquote(rest.removeprefix("//")))
            feeds += open_files(path, request.topics, start, end)
        elif scheme in ("", "kafka"):
            kind, _, backtest_id = rest.rpartition("/")
            if scheme and kind != "backtest":
                raise InvalidRequest(f"{request.source!r} is no source.", remedy=_REMEDY, field="source")
            log = stack.enter_context(BacktestLog(settings.kafka, backtest_id))
            decoder = Decoder(settings.registry)
            entries = log.manifest.chosen(request.topics)
            for entry in entries:
                feeds.append(
                    TopicFeed(
                        settings.kafka,
                        decoder,
                        log,
                        entry,
                        (start, end),
                        partial=request.partial,
                        prefetch_messages=max(_PREFETCH_MESSAGES // len(entries), _LEAST_PREFETCH),
                    )
                )
        else:
            raise InvalidRequest(f"{request.source!r} is no source.", remedy=_REMEDY, field="source")
        for feed in feeds:
            stack.callback(feed.close)
        yield feeds
