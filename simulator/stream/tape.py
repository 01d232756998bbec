"""A tape that is fed from outside: rows of any days, sent at once to whoever has subscribed them."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from anyio import to_thread

from simulator.stream.clients import Clients
from simulator.stream.player import ROWS_AT_ONCE, Player, session_edges
from simulator.stream.tape_frames import EPOCH, Rendered, Renderer
from simulator.stream.window import Window


class Tape:
    """While a tape is fed, the simulator's own day is quiet.

    A body is Arrow IPC streams, one behind the other, each of one record type, which its schema's metadata name
    (`record`: StockQuote, StockTrade, OptionQuote or OptionTrade). Columns are those of the record type, and `at`: the
    place of each row among all of the body, whose times ascend. Bars before trades are those of the tape's day so far;
    they begin anew where the tape goes back.
    """

    def __init__(self, player: Player, clients: Clients) -> None:
        self.renderer = Renderer(player.__contains__)
        self._player = player
        self._clients = clients
        self._lock = asyncio.Lock()
        self._session: tuple[int, int] | None = None

    @property
    def position(self) -> str | None:
        """New York's wall time of the last row; None where no tape is fed."""
        return str(np.datetime64(self.renderer.last_us, "us")) if self._player.is_quiet else None

    async def feed(self, body: bytes) -> dict[str, int]:
        """Send the rows that somebody has subscribed, when the clients take them; how many those are, and the others.

        A trade is sent to the full trade stream, too. Raise Malformed.
        """
        async with self._lock:
            self._player.is_quiet = True
            rendered, rows = await to_thread.run_sync(self.renderer.rendered, body)
            if rendered is not None:
                for (day, phase), first, end in _stretches(rendered):
                    self._enter(day, phase)
                    window = Window(0, (), rendered.ms, rendered.day, rendered.units)
                    for start in range(first, end, ROWS_AT_ONCE):
                        await self._clients.send_ticks(window, start, min(start + ROWS_AT_ONCE, end), wait=True)
            sent = 0 if rendered is None else len(rendered.at)
            return {"sent": sent, "unheard": rows - sent}

    async def stop(self) -> None:
        """Nothing comes any more: end the session that is on. The simulator's own day stays quiet."""
        async with self._lock:
            self._enter(0, 0)

    async def take_away(self) -> None:
        """The simulator's own day goes on."""
        await self.stop()
        self.renderer.start_over()
        self._player.is_quiet = False

    def _enter(self, day: int, phase: int) -> None:
        """Say that a session ends, or begins, where the rows that follow are of another part of a day."""
        session = (day, phase) if phase == 1 else None
        if session == self._session:
            return
        if self._session is not None:
            self._player.say("STOP")
        if session is not None:
            self._player.say("START")
        self._session = session


def _stretches(rendered: Rendered) -> Iterator[tuple[tuple[int, int], int, int]]:
    """Runs of rows before (0), in (1) or after (2) the session of a day: day and phase, first row, end."""
    phases = np.zeros(len(rendered.at), np.int64)
    for day in np.unique(rendered.day).tolist():
        inside = rendered.day == day
        phases[inside] = np.searchsorted(session_edges(EPOCH + timedelta(days=day)), rendered.ms[inside])
    starts = np.flatnonzero(np.diff(rendered.day * 3 + phases, prepend=-1))
    for first, end in zip(starts.tolist(), [*starts[1:].tolist(), len(phases)], strict=True):
        yield (int(rendered.day[first]), int(phases[first])), first, end
