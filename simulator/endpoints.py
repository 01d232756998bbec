"""What the terminal needs to know of an endpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar

from simulator.formats import Block, Columns, Dialect, Format
from simulator.parameters import Query

List = Callable[[Query], tuple[Columns, Block]]
"""A list's columns and rows by its query."""


class HistoryRequest(Protocol):
    """What all history requests have."""

    @property
    def symbol(self) -> str: ...
    @property
    def start(self) -> date: ...
    @property
    def interval_ms(self) -> int: ...
    @property
    def format(self) -> Format: ...


R = TypeVar("R", bound=HistoryRequest)


@dataclass(frozen=True, slots=True)
class HistoryEndpoint(Generic[R]):
    """A history path: how its query is read, its columns, and its rendered rows (no run where there is no row)."""

    read: Callable[[Query], R]
    columns: Columns
    at_interval: bool
    runs: Callable[[R, Dialect], Iterator[memoryview]]
