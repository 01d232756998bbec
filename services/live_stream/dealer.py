"""From frames to topics: parse, make records, and deal them to their channels."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from services.live_stream.broker.outlet import Outlet
from services.live_stream.channels.channel import Channel
from services.live_stream.clock import TapeClock
from services.live_stream.counts import Counts
from services.live_stream.routes import NOWHERE, Routes
from services.live_stream.rows import Live, Rows, joined
from stoculus.records.catalog import Asset, Kind, RecordType
from theta_client.client import TicksKind
from theta_client.stream.buffer import Frames
from theta_client.stream.parse import Parser

log = logging.getLogger(__name__)
_SHOWN_BYTES: Final = 300


class Dealer:
    """The hot path. Ticks go straight to the outlet; trades for bars are gathered until `deal_trades`."""

    def __init__(
        self, outlet: Outlet, clock: TapeClock, header_of: Callable[[RecordType], bytes], counts: Counts
    ) -> None:
        self._outlet = outlet
        self._clock = clock
        self._header_of = header_of
        self._counts = counts
        self._channels: dict[str, Channel] = {}
        self._of_kind: dict[Kind, list[Channel]] = {}
        self._changed = False
        self.new_day()

    def new_day(self) -> None:
        """Forget the instruments: an option lives some days, a process longer. No trades may be waiting."""
        self._parser = Parser()
        self._rows = Rows()
        self._routes = Routes()
        self._trades: dict[Asset, list[Live]] = {}

    def use(self, channels: dict[str, Channel]) -> None:
        """Deal to these channels from now on, by their instruments of now."""
        self._channels, self._changed = channels, True
        self._of_kind = {}
        for channel in channels.values():
            self._of_kind.setdefault(channel.topic.schema.kind, []).append(channel)

    def deal(self, frames: Frames) -> None:
        """Frames in the order of their arrival."""
        parsed = self._parser.parse(frames)
        self._counts.messages.inc(len(frames.frames))
        if parsed.skipped:
            self._counts.skipped.inc(parsed.skipped.total())
        if parsed.malformed:
            self._counts.malformed.inc(len(parsed.malformed))
            first = parsed.malformed[0]
            log.warning(
                "%d messages are malformed; the first: %s: %r",
                len(parsed.malformed),
                first.reason,
                first.bytes[:_SHOWN_BYTES],
            )
        instruments = self._parser.instruments
        self._routes.update(instruments, self._channels.values(), changed=self._changed)
        self._changed = False
        for live in self._rows.quotes(parsed.quotes, instruments).values():
            self._deal(live, "quote", frames)
        for asset, live in self._rows.trades(parsed.trades, instruments).items():
            self._deal(live, "trade", frames)
            if self._routes.bars:
                self._trades.setdefault(asset, []).append(live)

    def deal_trades(self) -> None:
        """Give the gathered trades to the channels that make bars of them."""
        for asset, parts in self._trades.items():
            together = joined(parts)
            for channel, mask in self._routes.bars:
                if channel.topic.asset == asset:
                    of_channel = mask[together.table.instruments]
                    if of_channel.any():
                        channel.take(together.where(of_channel))
        self._trades = {}

    def _deal(self, live: Live, kind: TicksKind, frames: Frames) -> None:
        times = live.table.times_us
        low_us, high_us = int(times.min()), int(times.max())
        self._clock.saw(high_us, frames.received_us[-1], low_us)
        topic_of = self._routes.ticks[kind][live.table.instruments]
        for channel in self._not_plain(kind, low_us, high_us):
            own = topic_of == channel.number
            if own.any():
                channel.take(live.where(own))
                topic_of[own] = NOWHERE
        if topic_of.max() != NOWHERE:
            self._outlet.put(live.outgoing(self._header_of(live.shape.record), topic_of, "live"))

    def _not_plain(self, kind: TicksKind, low_us: int, high_us: int) -> Iterable[Channel]:
        # The usual ones are told at a glance: there may be thousands.
        return [
            channel
            for channel in self._of_kind.get(kind, ())
            if (channel.gap or channel.hours) and not channel.is_plain(low_us, high_us)
        ]
