"""How a channel closes its gaps: from the loss of the stream to the records that history had of it."""

import threading
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from services.live_stream.bars.grid import day_at, midnight_us, session_us
from services.live_stream.channels.channel import Channel, InstrumentsOn
from services.live_stream.channels.gap import MOST_LAGS, Gap, Stage
from services.live_stream.healing.finding import Ask, Found
from stoculus.calendar import is_trading_day, trading_days
from stoculus.errors import StoculusError

_ONE_MS_US: Final = 1000
_DAY: Final = timedelta(days=1)
_ANOTHER_TAPE: Final = "the vendor's history of earlier days is another tape than its stream"


class MendingChannel(Channel):
    """Moves a gap from stage to stage, day by day of it: see Stage."""

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
            self.offset = 0  # some of it may be there, of a service that died before its first watermark
            is_to_fetch = True
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
                self._end(gap)
                return
            gap.slice_end_us = self._slice_end(gap.from_us, gap.until_us)
            gap.sealed_end = self.log.end
            if gap.slice_end_us == gap.until_us:
                gap.sealed_us = gap.until_us
            if gap.begun_us is None and not self._is_first:
                gap.begun_us = gap.from_us
                if gap.origin == "heal":
                    self._tell("gap", from_us=gap.from_us, until_us=gap.until_us, reason=gap.reason, open=True)
        if self.log.acked >= gap.sealed_end:
            gap.stage = Stage.FETCHING
            find: Callable[[Ask, threading.Event], Found] = self._find
            if self.instruments_on is not None and day_at(gap.from_us) != day_at(tools.clock.now_us):
                find = partial(self._find_past, self.instruments_on)
            gap.work = tools.threads.submit(find, self._asked(gap), gap.aborted)

    def _find_past(self, instruments_on: InstrumentsOn, ask: Ask, aborted: threading.Event) -> Found:
        return self._find(replace(ask, instruments=instruments_on(day_at(ask.from_us), aborted)), aborted)

    def _slice_end(self, from_us: int, until_us: int) -> int:
        """A slice ends with its day, or with its session: behind that nothing is wanted."""
        day = day_at(from_us)
        end_us = session_us(day, self.hours)[1] + 1 if self.hours else midnight_us(day + _DAY)
        return min(until_us, end_us)

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
        if gap.from_us > begun_us:
            self.complete_us = gap.from_us
            self._skipped()

    def _receive(self, gap: Gap) -> None:
        if gap.work is None or not gap.work.done():
            return
        try:
            found = gap.work.result()
        except (StoculusError, CancelledError) as error:
            self._postpone(gap, str(error))
            return
        if found.ahead and gap.lags < MOST_LAGS:
            gap.lags += 1
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
            gap.sealed_us = gap.sealed_end = None
            self._unseal(gap)
        else:
            self._end(gap)

    def _end(self, gap: Gap) -> None:
        if gap.origin == "warmup" and not gap.holds:
            # The rest is short. Live rows wait for it, so that they come behind it.
            gap.holds, gap.stage, gap.sealed_us, gap.sealed_end = True, Stage.CONFIRMING, None, None
            self._drop_kept()
        else:
            self._close(gap)

    def _close(self, gap: Gap) -> None:
        self.complete_us = max(self.complete_us or 0, gap.until_us or 0)
        self.gap, end = None, self.log.end
        self._release(gap)
        self._drop_kept()
        if gap.begun_us is not None:
            self._tell(
                "seam" if gap.origin == "warmup" else "healed",
                from_us=gap.begun_us,
                until_us=gap.until_us,
                records=gap.records,
                first_offset=gap.first_offset,
                last_offset=end - 1 if gap.records else None,
            )

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
        """Hand over some of it; whether all had been handed over before."""

    @abstractmethod
    def _release(self, gap: Gap) -> None:
        """The gap is closed: let the rows go that waited."""

    def _skipped(self) -> None:
        """Some of the gap is left out: nothing of before it goes on."""

    @property
    def _is_first(self) -> bool:
        """Whether it is no gap, but what came before the topic began."""
        return False

    def _trades_from(self, gap: Gap) -> int | None:  # noqa: ARG002
        """Since when a topic of bars needs trades, where that is before the gap."""
        return None
