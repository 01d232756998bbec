"""Which topics the rows of an instrument go to, by the instrument's number."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.live_stream.channels.channel import Channel
from theta_client.client import TicksKind
from theta_client.stream.subscription import Instrument

NOWHERE: Final = -1


class Routes:
    """`ticks` gives each instrument's topic of a kind; `bars` the instruments of each topic of bars."""

    def __init__(self) -> None:
        self.ticks: Mapping[TicksKind, NDArray[np.int32]] = {}
        self.bars: Sequence[tuple[Channel, NDArray[np.bool_]]] = ()
        self._known = -1

    def update(self, instruments: Sequence[Instrument], channels: Iterable[Channel], *, changed: bool) -> None:
        """Draw them anew where there are new instruments, or channels or their instruments have changed."""
        if len(instruments) == self._known and not changed:
            return
        self._known = len(instruments)
        number_of = {instrument: number for number, instrument in enumerate(instruments)}
        ticks: dict[TicksKind, NDArray[np.int32]] = {
            kind: np.full(len(instruments), NOWHERE, np.int32) for kind in ("quote", "trade")
        }
        bars = []
        for channel in channels:
            numbers = [number_of[one] for one in channel.instruments if one in number_of]
            if channel.topic.schema.kind == "ohlcv":
                mask = np.zeros(len(instruments), np.bool_)
                mask[numbers] = True
                bars.append((channel, mask))
            else:
                ticks[channel.topic.ticks][numbers] = channel.number
        self.ticks, self.bars = ticks, bars
