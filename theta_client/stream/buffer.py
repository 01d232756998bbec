"""The bounded queue between the thread that receives and the one that works."""

import threading
from collections import deque
from dataclasses import dataclass

from theta_client.stream.events import Dropped, Event


@dataclass(frozen=True, slots=True)
class Frames:
    """Data frames of one connection in the order of arrival, each with its receive time (microseconds UTC)."""

    connection: int
    received_us: list[int]
    frames: list[bytes]


@dataclass(slots=True)
class _Drop:
    connection: int
    first_us: int
    last_us: int
    frames: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    connection: int
    received_us: int
    frames: list[bytes]


class Buffer:
    """Holds at most `most_frames` frames. What does not fit is dropped and told as Dropped at its place."""

    def __init__(self, most_frames: int) -> None:
        self._most_frames = most_frames
        self._held = 0
        self._items: deque[_Chunk | _Drop | Event] = deque()
        self._filled = threading.Condition()

    def put_frames(self, connection: int, received_us: int, frames: list[bytes]) -> None:
        """Append what fits; never waits."""
        with self._filled:
            kept = frames[: max(self._most_frames - self._held, 0)]
            if kept:
                self._items.append(_Chunk(connection, received_us, kept))
                self._held += len(kept)
            if len(kept) < len(frames):
                self._drop(connection, received_us, len(frames) - len(kept))
            self._filled.notify()

    def _drop(self, connection: int, received_us: int, frames: int) -> None:
        last = self._items[-1] if self._items else None
        if isinstance(last, _Drop):
            last.frames += frames
            last.last_us = received_us
        else:
            self._items.append(_Drop(connection, received_us, received_us, frames))

    def put(self, event: Event) -> None:
        """Append an event; events always fit."""
        with self._filled:
            self._items.append(event)
            self._filled.notify()

    def take(self, most_frames: int, timeout_s: float) -> list[Frames | Event]:
        """What is there, in order, waiting up to `timeout_s` for a first item; [] if none came.

        About `most_frames`: what one receive brought stays together. Frames without an event between them are joined.
        """
        with self._filled:
            if not self._items:
                self._filled.wait(timeout_s)
            taken: list[Frames | Event] = []
            count = 0
            while self._items and count < most_frames:
                match self._items.popleft():
                    case _Chunk(connection, received_us, frames):
                        count += len(frames)
                        _join(taken, connection, received_us, frames)
                    case _Drop(connection, first_us, last_us, lost):
                        taken.append(Dropped(connection, first_us, last_us, lost))
                    case event:
                        taken.append(event)
            self._held -= count
            return taken


def _join(taken: list[Frames | Event], connection: int, received_us: int, frames: list[bytes]) -> None:
    last = taken[-1] if taken else None
    if isinstance(last, Frames) and last.connection == connection:
        last.frames.extend(frames)
        last.received_us.extend([received_us] * len(frames))
    else:
        taken.append(Frames(connection, [received_us] * len(frames), frames))
