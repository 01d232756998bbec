"""A stretch of the day: the units of all feeds in it, in the order of their time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from simulator.market import Ints
from simulator.stream.feeds import MESSAGES, Feed, Kind
from simulator.stream.frames import Units, units

WANTED_ROWS: Final = 16_384
_WANTED_ROWS_A_FEED: Final = 16
_LONGEST_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Window:
    """Rows with after < ms <= end. `owner` is the row's feed, by its number in `feeds`."""

    end_ms: int
    feeds: tuple[Feed, ...]
    ms: Ints
    owner: Ints
    units: Units

    def __len__(self) -> int:
        return len(self.ms)

    def due(self, position_ms: float) -> int:
        """How many rows are at or before the millisecond."""
        return int(np.searchsorted(self.ms, position_ms, "right"))

    def bytes_of(self, first: int, end: int) -> memoryview:
        """The frames of some rows, as they are sent."""
        _, offsets, letters = self.units.buffers()
        at = memoryview(offsets).cast("i")
        return memoryview(letters)[at[first] : at[end]]


def window(feeds: Sequence[Feed], after_ms: int, end_ms: int, day: date) -> Window:
    """The rows of the feeds after a millisecond, to another one with it."""
    low, high = np.int64(after_ms), np.int64(end_ms)
    by_kind: dict[Kind, list[tuple[int, slice]]] = {}
    for number, feed in enumerate(feeds):
        span = slice(int(feed.ms.searchsorted(low, "right")), int(feed.ms.searchsorted(high, "right")))
        if span.start < span.stop:
            by_kind.setdefault(feed.kind, []).append((number, span))
    parts = [_rendered(kind, feeds, by_kind[kind], day) for kind in sorted(by_kind)]
    return _in_order(Window(end_ms, tuple(feeds), *_joined(parts)))


def refreshed(old: Window, first: int, feeds: Sequence[Feed], after_ms: int, day: date) -> Window:
    """The window's rows from `first` on without those of feeds that are gone, and with those of new feeds."""
    still, before = set(feeds), set(old.feeds)
    new = [feed for feed in feeds if feed not in before]
    added = window(new, after_ms, old.end_ms, day)
    kept = np.array([feed in still for feed in old.feeds], np.bool_)
    rows = np.flatnonzero(kept[old.owner[first:]]) + first
    both = [
        (old.ms[rows], old.owner[rows], old.units.take(rows)),
        (added.ms, added.owner + len(old.feeds), added.units),
    ]
    return _in_order(Window(old.end_ms, (*old.feeds, *added.feeds), *_joined(both)))


def next_end(feeds: Iterable[Feed], after_ms: int, span_ms: int) -> tuple[int, int]:
    """A window's end WANTED_ROWS after, or a few rows of each feed, tried from a span; and the span to try next."""
    held = list(feeds)
    wanted_rows = max(WANTED_ROWS, _WANTED_ROWS_A_FEED * len(held))
    span = min(max(span_ms, 1), _LONGEST_MS)
    rows = _rows(held, after_ms, span)
    while rows > 4 * wanted_rows and span > 1:
        span = max(span // 4, 1)
        rows = _rows(held, after_ms, span)
    wanted = span * wanted_rows // rows if rows else _LONGEST_MS
    return after_ms + span, min(max(wanted, 1), 4 * span + 1)


def _rows(feeds: Iterable[Feed], after_ms: int, span_ms: int) -> int:
    return sum(feed.left(after_ms) - feed.left(after_ms + span_ms) for feed in feeds)


_Part = tuple[Ints, Ints, Units]


def _rendered(kind: Kind, feeds: Sequence[Feed], spans: Sequence[tuple[int, slice]], day: date) -> _Part:
    counts = [span.stop - span.start for _, span in spans]
    local = np.repeat(np.arange(len(spans)), counts)
    owner = np.repeat(np.array([number for number, _ in spans]), counts)
    some = [feeds[number] for number, _ in spans]
    ms = np.concatenate([feed.ms[span] for feed, (_, span) in zip(some, spans, strict=True)])
    columns = [
        np.concatenate([feed.columns[at][span] for feed, (_, span) in zip(some, spans, strict=True)])
        for at in range(len(some[0].columns))
    ]
    return ms, owner, units(MESSAGES[kind], [feed.contract for feed in some], local, columns, day)


def _joined(parts: Sequence[_Part]) -> _Part:
    if not parts:
        return np.array([], np.int64), np.array([], np.int64), pa.array([], pa.binary())
    ms, owner, rendered = zip(*parts, strict=True)
    return np.concatenate(ms), np.concatenate(owner), pa.concat_arrays(rendered)


def _in_order(made: Window) -> Window:
    if np.all(made.ms[1:] >= made.ms[:-1]):
        return made
    order = np.argsort(made.ms, kind="stable")
    return replace(made, ms=made.ms[order], owner=made.owner[order], units=made.units.take(order))
