"""A live topic at work: rows in, records out, and what is done about its gaps. Used by the tape's thread alone."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.live_stream.bars.grid import Hours, day_at, is_inside, session_us
from services.live_stream.broker.outlet import Outgoing, TopicLog
from services.live_stream.channels.gap import Gap, Stage
from services.live_stream.channels.tools import Tools
from services.live_stream.healing.difference import Records
from services.live_stream.rows import Live
from services.live_stream.topic import LiveTopic
from stoculus.calendar import is_trading_day
from stoculus.instruments import OptionContract, Stock
from stoculus.streams import EventKind, Origin, StreamEvent, Watermark

InstrumentsOn = Callable[[date, threading.Event], frozenset[Stock | OptionContract]]
"""The instruments of another day: a chain is made of others each day. May ask the vendor, and raise its errors."""
MOST_KEPT: Final = 500_000
"""Live rows that may wait for history before them; more are dropped, and come from history too."""


class Channel(ABC):
    """One topic. `complete_us`: all that it should have before that market time was handed over; None: not begun."""

    def __init__(self, topic: LiveTopic, number: int, hours: Hours | None, tools: Tools) -> None:
        self.topic = topic
        self.number = number
        self.hours = hours
        self.instruments: frozenset[Stock | OptionContract] = frozenset()
        self.instruments_on: InstrumentsOn | None = None
        self.refused: frozenset[Stock | OptionContract] = frozenset()
        self.complete_from_us: int | None = None
        self.complete_us: int | None = None
        self.offset = tools.outlet.logs[number].end
        self.topic_id: str | None = None
        self.warmup_days: int | None = None
        self.warmup_until_us: int | None = None
        self.gap: Gap | None = None
        self.is_open = False
        self.late = 0
        self.reason: str | None = None
        self._tools = tools
        self._kept: list[Live] = []
        self._kept_rows = 0
        self._confirmed_first = False

    @property
    def log(self) -> TopicLog:
        return self._tools.outlet.logs[self.number]

    def restore(self, mark: Watermark) -> None:
        """Go on from where a predecessor stopped, if a stream wanted the topic then."""
        if mark.wanted:
            self.complete_from_us, self.complete_us = mark.complete_from_us, mark.complete_until_us
            self.offset, self.warmup_until_us = mark.offset, mark.warmup_until_us

    def open(self, reason: str) -> None:
        """The vendor is being asked to stream it from now on."""
        self.is_open = True
        self.lost(reason)

    def lost(self, reason: str) -> None:
        """The stream may have lost rows."""
        if self.gap is None:
            self._lack(reason)
        else:
            self.gap.unconfirmed()
            if self.gap.stage is not Stage.WRITING:  # else late rows are compared with what is being written
                self._unseal(self.gap)

    def shut(self) -> None:
        """Its session is over. What it lacks is still healed."""
        self.is_open = False
        if self.complete_us is None:
            self.gap = None  # it has not begun
            return
        self._tell("unsubscribed", until_us=self._tools.clock.now_us, instruments=len(self.instruments))

    def end(self) -> None:
        """No stream wants it any more."""
        if self.gap is not None and self.gap.begun_us is not None:
            self._tell("gap", from_us=self.gap.from_us, until_us=self.gap.until_us, reason="its stream was stopped")
        self.abort()
        if self.is_open:
            Channel.shut(self)  # a bar that is not over is never sent

    def abort(self) -> None:
        """Leave what is being fetched."""
        if self.gap is not None:
            self.gap.abort()

    def refuse(self, instrument: Stock | OptionContract, response: str) -> None:
        """The vendor does not stream an instrument."""
        self.refused |= {instrument}
        self.reason = f"The vendor does not stream {instrument}: {response}."
        self._tell("refused", instruments=1, reason=self.reason)

    def use(self, instruments: frozenset[Stock | OptionContract]) -> None:
        """These are wanted from now on."""
        new = instruments - self.instruments
        self.instruments = instruments
        self.refused &= instruments  # what comes back is asked for again
        if new and self.complete_us is not None and self.is_open:
            self._tell("subscribed", from_us=self.complete_us, instruments=len(new))
            self.lost("instruments were added")  # until they are confirmed, and a bar of them needs its first trades

    def is_plain(self, low_us: int, high_us: int) -> bool:
        """Whether rows of a stretch of market time go straight to the topic."""
        gap = self.gap
        if gap is not None and (gap.holds or gap.origin == "warmup" or gap.sealed_us is not None):
            return False
        return self.hours is None or self._is_inside(low_us, high_us)

    def take(self, rows: Live) -> None:
        """Rows of the topic's instruments, in order."""
        times = rows.table.times_us
        if self.hours is not None and not self._is_inside(int(times.min()), int(times.max())):
            inside = np.zeros(len(times), np.bool_)
            for day in {day_at(int(times.min())), day_at(int(times.max()))}:
                if is_trading_day(day):
                    first, last = session_us(day, self.hours)
                    inside |= (times >= first) & (times <= last)
            rows, times = rows.where(inside), times[inside]
        if len(times):
            self._take(rows, times)

    def turn(self, *, is_confirmed: bool) -> None:
        """Move on: heal, or say up to where the topic is complete."""
        # Asked in a gap too: the clock remembers all until then.
        settled_us = self._tools.clock.settled_us(self._tools.grace_us)
        if self.gap is not None:
            self._heal(self.gap, is_confirmed=is_confirmed or not self.is_open)
        elif self.complete_us is not None and settled_us is not None:
            self._advance(settled_us)

    def watermark(self) -> Watermark | None:
        """How far the topic is complete once all that was handed over is acknowledged."""
        if self.complete_us is None or self.complete_from_us is None:
            return None
        return Watermark(
            topic=self.topic.topic,
            topic_id=self.topic_id,
            complete_from_us=self.complete_from_us,
            complete_until_us=self.complete_us,
            offset=self.offset if self.gap is not None else self.log.offset_from(self.complete_us),
            warmup_until_us=self.warmup_until_us,
            wanted=True,
            written_us=self._tools.wall_us(),
        )

    @abstractmethod
    def _take(self, rows: Live, times: NDArray[np.int64]) -> None: ...

    @abstractmethod
    def _advance(self, until_us: int) -> None: ...

    @abstractmethod
    def _heal(self, gap: Gap, *, is_confirmed: bool) -> None:
        """Move a gap on."""

    @abstractmethod
    def _unseal(self, gap: Gap) -> None:
        """What is found out of history is void, or a part of several is done: let late rows go that waited."""

    def _lack(self, reason: str) -> None:
        is_new = self.complete_us is None
        is_warmup = self.warmup_days is not None if is_new else (self.complete_us or 0) < (self.warmup_until_us or 0)
        self.gap = Gap(
            from_us=-1 if self.complete_us is None else self.complete_us,
            reason=reason,
            origin="warmup" if is_warmup else "heal",
            holds=self._holds() and not is_warmup,
        )
        self._drop_kept()

    def _holds(self) -> bool:
        """Whether live rows wait for what history has of the time before them."""
        return False

    def _keep(self, rows: Live) -> None:
        self._kept.append(rows)
        self._kept_rows += len(rows)
        if self._kept_rows > MOST_KEPT and self.gap is not None and self.gap.stage is not Stage.WRITING:
            self._drop_kept()
            self.gap.unconfirmed()

    def _kept_from(self, us: int) -> Iterator[Live]:
        """The rows that wait, of a time and later."""
        for rows in self._kept:
            yield rows.where(rows.table.times_us >= us)

    def _drop_kept(self) -> None:
        self._kept, self._kept_rows = [], 0

    def _is_inside(self, low_us: int, high_us: int) -> bool:
        assert self.hours is not None  # noqa: S101 - asked of bounded channels only
        return is_inside(self.hours, low_us, high_us)

    def _put(self, rows: Live) -> None:
        """Hand rows over as they came."""
        header, topic_of = self._tools.header_of(self.topic.schema.record), np.full(len(rows), self.number, np.int32)
        self._tools.outlet.put(rows.outgoing(header, topic_of, "live"))

    def _put_encoded(self, rows: Records, origin: Origin) -> None:
        """Hand encoded records over."""
        tools, count = self._tools, len(rows)
        header = tools.header_of(self.topic.schema.record)
        topic_of, ingest_us = np.full(count, self.number, np.int32), np.full(count, tools.wall_us(), np.int64)
        tools.outlet.put(
            Outgoing(
                header,
                cast(pa.StringArray, rows.keys),
                rows.bodies,
                rows.times_us,
                topic_of,
                ingest_us,
                origin.encode(),
            )
        )

    def _tell(self, kind: EventKind, **facts: object) -> None:
        event = {"kind": kind, "topic": self.topic.topic, "at_us": self._tools.wall_us(), **facts}
        self._tools.tell(StreamEvent.model_validate(event))
