"""What all readers share: where they are, and that what they hold is let go at the end."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum, unique
from typing import Self, TypeVar

_Item = TypeVar("_Item")


@unique
class Status(StrEnum):
    """Open: nothing has come yet. Done: all was read. Closed: before its end. Error: it raised."""

    OPEN = "open"
    READING = "reading"
    DONE = "done"
    CLOSED = "closed"
    ERROR = "error"


class Reader:
    """A context manager that lets go of what it holds when it is closed, has read all, or raises."""

    def __init__(self) -> None:
        self.status = Status.OPEN
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. Harmless where all was read."""
        self._end(Status.CLOSED)

    def _tracked(self, items: Iterable[_Item]) -> Iterator[_Item]:
        try:
            if self.status is Status.CLOSED:
                return
            for item in items:
                self.status = Status.READING
                yield item
                if self.status is not Status.READING:
                    return
            self._end(Status.DONE)
        except GeneratorExit:
            self._end(Status.CLOSED)
            raise
        except BaseException:
            self._end(Status.ERROR)
            raise

    def _end(self, status: Status) -> None:
        if self.status in (Status.OPEN, Status.READING):
            self.status = status
            self._held.close()
