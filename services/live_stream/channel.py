"""A live topic at work: rows in, records out, and what is done about its gaps. Used by the tape's thread alone."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.live_stream.bar_grid import Hours, day_at, midnight_us, session_us
from services.live_stream.clock import TapeClock
from services.live_stream.gap import MOST_TRIES, Gap, Stage
from services.live_stream.heal import Records
from services.live_stream.healing import Ask, Found, TickHistory
from services.live_stream.outlet import Outgoing, Outlet, TopicLog, outgoing
from services.live_stream.rows import Live
from services.live_stream.topic import LiveTopic
from stoculus.calendar import is_trading_day, trading_days
from stoculus.errors import StoculusError
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import RecordType
from stoculus.streams import EventKind, Origin, StreamEvent, Watermark

MOST_KEPT: Final = 500_000
"""Live rows that may wait for history before them; more are dropped, and come from history too."""
_ONE_MS_US: Final = 1000
_DAY: Final = timedelta(days=1)
_ANOTHER_TAPE: Final = "the vendor's history of earlier days is another tape than its stream"


@dataclass(frozen=True, slots=True)
class Tools:
    """What all channels share. `wall_us` is the wall clock; `grace_us` is how late events may come."""

    outlet: Outlet
    clock: TapeClock
    header_of: Callable[[RecordType], bytes]
    wall_us: Callable[[], int]
    grace_us: int
    history: TickHistory
    bootstrap: str
    threads: Executor
    tell: Callable[[StreamEvent], None]


class Channel(ABC):
    """One topic. `complete_us`: all that it should have before that market time was handed over; None: not begun."""

    def __init__(self, topic: LiveTopic, number: int, hours: Hours | None, tools: Tools) -> None:
        self.topic = topic
        self.number = number
        self.hours = hours
        self.instruments: frozenset[Stock | OptionContract] = frozenset()
        self.refused: frozenset[Stock | OptionContract] = frozenset()
        self.complete_from_us: int | None = None
        self.complete_us: int | None = None
        self.offset = tools.outlet.logs[number].end
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
        if self.gap is None:
            self._lack(reason)

    def lost(self, reason: str) -> None:
        """The stream may have lost rows."""
        if self.gap is None:
            self._lack(reason)
        else:
            self.gap.unconfirmed()
            self._unseal(self.gap)

    def shut(self) -> None:
        """Its session is over. What it lacks is still healed."""
        self.is_open = False
        self._tell("unsubscribed", until_us=self._tools.clock.now_us, instruments=len(self.instruments))

    def end(self) -> None:
        """No stream wants it any more."""
        if self.gap is not None and self.gap.begun_us is not None:
            self._tell("gap", from_us=self.gap.from_us, until_us=self.gap.until_us, reason="its stream was stopped")
        self.abort()
        if self.is_open:
            self.shut()

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
        if new and self.complete_us is not None and self.is_open:
            self._tell("subscribed", from_us=self._tools.clock.now_us, instruments=len(new))

    def is_plain(self, low_us: int, high_us: int) -> bool:
        """Whether rows of a stretch of market time go straight to the topic."""
        if self.gap is not None and (self.gap.holds or self.gap.sealed_us is not None):
            return False
        return self.hours is None or self._is_inside(low_us, high_us)

    def take(self, rows: Live) -> None:
        """Rows of the topic's instruments, in order."""
        times = rows.records["ts_event"].view(pa.int64()).to_numpy()
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
        clock = self._tools.clock
        if self.gap is not None:
            self._heal(self.gap, is_confirmed=is_confirmed or not self.is_open)
        elif (settled_us := clock.settled_us(self._tools.grace_us)) is not None:
            self._advance(settled_us)

    def watermark(self) -> Watermark | None:
        """How far the topic is complete once all that was handed over is acknowledged."""
        if self.complete_us is None or self.complete_from_us is None:
            return None
        return Watermark(
            topic=self.topic.topic,
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
    def _begin(self, gap: Gap, start_us: int) -> bool:
        """The topic's first time. Whether something of it is to be fetched."""

    @abstractmethod
    def _find(self, ask: Ask, aborted: threading.Event) -> Found: ...

    @abstractmethod
    def _found(self, gap: Gap, found: Found) -> None:
        """Make ready to write."""

    @abstractmethod
    def _write(self, gap: Gap) -> bool:
        """Hand over some of it; whether that is all."""

    @abstractmethod
    def _unseal(self, gap: Gap) -> None:
        """What is found out of history is void, or a part of several is done: let late rows go that waited."""

    @abstractmethod
    def _release(self, gap: Gap) -> None:
        """The gap is closed: let the rows go that waited."""

    def _lack(self, reason: str) -> None:
        is_warmup = self.complete_us is not None and self.complete_us < (self.warmup_until_us or 0)
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

    @property
    def _is_first(self) -> bool:
        """Whether it is no gap, but what came before the topic began."""
        return False

    def _trades_from(self, gap: Gap) -> int | None:  # noqa: ARG002
        """Since when a topic of bars needs trades, where that is before the gap."""
        return None

    def _keep(self, rows: Live) -> None:
        self._kept.append(rows)
        self._kept_rows += rows.records.num_rows
        if self._kept_rows > MOST_KEPT and self.gap is not None and self.gap.stage is not Stage.WRITING:
            self._drop_kept()
            self.gap.unconfirmed()

    def _drop_kept(self) -> None:
        self._kept, self._kept_rows = [], 0

    def _heal(self, gap: Gap, *, is_confirmed: bool) -> None:
        if gap.stage is Stage.CONFIRMING:
            self._confirm(gap, is_confirmed=is_confirmed)
        elif gap.stage is Stage.SETTLING:
            self._ask(gap)
        elif gap.stage is Stage.FETCHING:
            self._receive(gap)
        elif self._tools.outlet.is_free and self._write(gap):
            self._end_slice(gap)

    def _confirm(self, gap: Gap, *, is_confirmed: bool) -> None:
        clock = self._tools.clock
        if not is_confirmed:
            self._confirmed_first = False
        elif clock.now_us is None or clock.first_us is None:
            self._confirmed_first = True
        else:
            now_us = clock.first_us if self._confirmed_first else clock.now_us
            self._confirmed_first = False
            if self.complete_us is None and not self._start(gap, now_us):
                self.gap = None
                return
            gap.confirmed(now_us, clock.heard_us)

    def _start(self, gap: Gap, now_us: int) -> bool:
        """The topic's first time; whether something of it is to be fetched."""
        if self.warmup_days is None:
            is_to_fetch = self._begin(gap, now_us)
        else:
            day = day_at(now_us)
            days = trading_days(day - (2 * self.warmup_days + 10) * _DAY, day - _DAY)[-self.warmup_days :]
            self.complete_us = gap.from_us = midnight_us(min([*days[: self.warmup_days], day]))
            self.warmup_until_us = now_us
            gap.origin, gap.holds, is_to_fetch = "warmup", False, True
        self.complete_from_us = self.complete_us
        self._tell("subscribed", from_us=self.complete_from_us, instruments=len(self.instruments))
        return is_to_fetch

    def _ask(self, gap: Gap) -> None:
        tools = self._tools
        if tools.clock.now_us is None or tools.clock.heard_us < gap.heard_us + tools.grace_us:
            return
        if gap.until_us is None:
            gap.until_us = tools.clock.now_us + _ONE_MS_US
        waits = tools.clock.heard_us < gap.heard_us + 2 * tools.grace_us or tools.wall_us() < gap.not_before_us
        if waits or not tools.outlet.is_free:
            return
        if gap.sealed_end is None:
            self._skip(gap)
            if gap.from_us >= gap.until_us:
                self._close(gap)
                return
            gap.slice_end_us = min(gap.until_us, midnight_us(day_at(gap.from_us) + _DAY))
            gap.sealed_end = self.log.end
            if gap.slice_end_us == gap.until_us:
                gap.sealed_us = gap.until_us
            if gap.begun_us is None and not self._is_first:
                gap.begun_us = gap.from_us
                if gap.origin == "heal":
                    self._tell("gap", from_us=gap.from_us, until_us=gap.until_us, reason=gap.reason, open=True)
        if self.log.acked >= gap.sealed_end:
            gap.stage = Stage.FETCHING
            gap.work = tools.threads.submit(self._find, self._asked(gap), gap.aborted)

    def _asked(self, gap: Gap) -> Ask:
        return Ask(
            self.topic,
            self.instruments,
            gap.from_us,
            gap.slice_end_us,
            gap.confirmed_us,
            self.offset,
            self._trades_from(gap),
            tuple(rows.records for rows in self._kept),
        )

    def _skip(self, gap: Gap) -> None:
        """Leave out what needs no healing, and say what cannot be healed."""
        begun_us, now_us = gap.from_us, self._tools.clock.now_us or 0
        hopeless_until_us = None
        while gap.until_us is not None and gap.from_us < gap.until_us:
            day = day_at(gap.from_us)
            tomorrow_us = min(midnight_us(day + _DAY), gap.until_us)
            first, last = session_us(day, self.hours) if self.hours and is_trading_day(day) else (0, tomorrow_us)
            if not is_trading_day(day) or gap.from_us > last:
                gap.from_us = tomorrow_us
            elif self.topic.asset == "stock" and gap.origin == "heal" and day < day_at(now_us):
                gap.from_us = hopeless_until_us = tomorrow_us
            else:
                gap.from_us = max(gap.from_us, first)
                break
        if hopeless_until_us is not None:
            self._tell("gap", from_us=begun_us, until_us=hopeless_until_us, reason=f"{gap.reason}; {_ANOTHER_TAPE}")
        self.complete_us = gap.from_us

    def _receive(self, gap: Gap) -> None:
        if gap.work is None or not gap.work.done():
            return
        try:
            found = gap.work.result()
        except (StoculusError, CancelledError) as error:
            self._postpone(gap, str(error))
            return
        if found.ahead and gap.tries < MOST_TRIES:
            self._postpone(gap, f"history lacks {found.ahead} records that the stream has told")
            return
        self.reason = None
        gap.stage, gap.work = Stage.WRITING, None
        self._found(gap, found)

    def _postpone(self, gap: Gap, reason: str) -> None:
        """Try again later."""
        self.reason = reason
        gap.wait(self._tools.wall_us())
        self._unseal(gap)

    def _end_slice(self, gap: Gap) -> None:
        self.complete_us = gap.from_us = gap.slice_end_us
        if gap.origin == "warmup" and not gap.holds:
            self.offset = self.log.end  # nothing but slices is written
        if gap.slice_end_us != gap.until_us:
            gap.stage = Stage.CONFIRMING if gap.until_us is None else Stage.SETTLING
            gap.sealed_end = None
            self._unseal(gap)
        elif gap.origin == "warmup" and not gap.holds:
            # The rest is short. Live rows wait for it, so that they come behind it.
            gap.holds, gap.stage, gap.sealed_us, gap.sealed_end = True, Stage.CONFIRMING, None, None
        else:
            self._close(gap)

    def _close(self, gap: Gap) -> None:
        self.complete_us = max(self.complete_us or 0, gap.until_us or 0)
        self.gap = None
        self._release(gap)
        self._drop_kept()
        if gap.begun_us is not None:
            self._tell(
                "seam" if gap.origin == "warmup" else "healed",
                from_us=gap.begun_us,
                until_us=gap.until_us,
                records=gap.records,
                first_offset=gap.first_offset,
                last_offset=self.log.end - 1 if gap.records else None,
            )

    def _is_inside(self, low_us: int, high_us: int) -> bool:
        assert self.hours is not None  # noqa: S101 - asked of bounded channels only
        day = day_at(low_us)
        if not is_trading_day(day):
            return False
        first, last = session_us(day, self.hours)
        return first <= low_us and high_us <= last

    def _put(self, rows: Live, origin: Origin = "live") -> None:
        """Hand record columns over."""
        record, tools = self.topic.schema.record, self._tools
        topic_of = np.full(rows.records.num_rows, self.number, np.int32)
        header = tools.header_of(record)
        tools.outlet.put(outgoing(rows.records, record, header, topic_of, rows.received_us, origin))

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
                rows.ts_event,
                topic_of,
                ingest_us,
                origin.encode(),
            )
        )

    def _tell(self, kind: EventKind, **facts: object) -> None:
        event = {"kind": kind, "topic": self.topic.topic, "at_us": self._tools.wall_us(), **facts}
        self._tools.tell(StreamEvent.model_validate(event))
