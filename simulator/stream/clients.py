"""The connected clients, and what is sent to them: ready frames, written to the transport by the batch."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from simulator.stream.frames import frame
from simulator.stream.link import Link
from simulator.stream.window import Window

Policy = Literal["replace", "broadcast", "starve"]
REPLACED: Final = "replaced by a new client connection"
MOST_BUFFERED_BYTES: Final = 256 * 1024 * 1024
"""About a million messages: the depth of the terminal's queue. What comes beyond is dropped without a word."""


@dataclass(eq=False, slots=True)
class Client:
    """A connection. When it is frozen nothing is read from it or sent to it any more, and it stays open."""

    connection: ServerConnection
    frozen: bool = False

    @property
    def listens(self) -> bool:
        return not self.frozen and self.connection.state is State.OPEN and not self.connection.transport.is_closing()

    @property
    def buffered_bytes(self) -> int:
        return self.connection.transport.get_write_buffer_size()

    def send(self, frames: bytes | memoryview) -> None:
        """Whole frames: pings are answered between two writes."""
        if self.listens:
            self.connection.transport.write(frames)


class Clients:
    """Sends to the clients that the policy names; counts ticks that were sent and those that nobody got."""

    def __init__(self, link: Link, clock_s: Callable[[], float]) -> None:
        self.policy: Policy = "replace"
        self.ticks_sent = 0
        self.ticks_lost = 0
        self.silent_until_s = 0.0
        self.repeats = 0
        self.steps_back = 0
        self._link = link
        self._clock_s = clock_s
        self._clients: list[Client] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._earlier: tuple[int, bytes] | None = None

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(tuple(self._clients))

    def join(self, connection: ServerConnection) -> Client:
        """Take a new client, and close the others where it replaces them."""
        if self.policy == "replace":
            for old in self._clients:
                if not old.frozen:
                    self._closing.add(closing := asyncio.create_task(old.connection.close(1000, REPLACED)))
                    closing.add_done_callback(self._closing.discard)
            self._clients.clear()
        self._clients.append(Client(connection))
        return self._clients[-1]

    def leave(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)

    def tell(self, text: str) -> None:
        """Send a message to all."""
        for client in self._clients:
            client.send(frame(text))

    async def send_ticks(self, window: Window, first: int, end: int, *, wait: bool) -> None:
        """Send some rows, as the faults have it; `wait` until the clients have taken them."""
        receivers = [client for client in self._receivers() if client.listens]
        if not wait:
            receivers = [client for client in receivers if client.buffered_bytes < MOST_BUFFERED_BYTES]
        if not receivers or not self._link.is_up or self._clock_s() < self.silent_until_s:
            self.ticks_lost += end - first
            return
        frames = self._damaged(window, first, end)
        for client in receivers:
            client.send(frames)
        self.ticks_sent += end - first
        self._earlier = int(window.ms[first]), bytes(window.bytes_of(first, first + 1))
        if wait:
            for client in receivers:
                with suppress(OSError):  # it went meanwhile, which its own task will see
                    await client.connection.drain()

    def _receivers(self) -> list[Client]:
        return self._clients[-1:] if self.policy == "starve" else self._clients

    def _damaged(self, window: Window, first: int, end: int) -> bytes | memoryview:
        """With the first tick sent again, or one behind the last that is older than it."""
        frames: bytes | memoryview = window.bytes_of(first, end)
        if self.repeats:
            self.repeats -= 1
            frames = bytes(window.bytes_of(first, first + 1)) + bytes(frames)
        if self.steps_back and self._earlier and self._earlier[0] < window.ms[end - 1]:
            self.steps_back -= 1
            frames = bytes(frames) + self._earlier[1]
        return frames
