"""The changes of a backtest or a stream as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sized
from typing import Final, Protocol

from sse_starlette import ServerSentEvent

from coordinator.changes import Changes
from coordinator.states import State
from stoculus.errors import NotFound

HEARTBEAT_S: Final = 10
"""How often a quiet stream of events shows that it is alive."""
_PAUSE_S: Final = 0.2
_PAUSE_PER_TOPIC_S: Final = 0.002


class Shown(Protocol):
    """What the API shows, a pydantic model."""

    @property
    def state(self) -> State: ...
    @property
    def topics(self) -> Sized: ...
    def model_dump_json(self, *, by_alias: bool) -> str: ...


async def follow(row_id: str, changes: Changes, show: Callable[[], Shown]) -> AsyncIterator[ServerSentEvent]:
    """`state` events with all that is shown: at once, and at each change until it is terminal; `deleted` if it goes.

    Since each event tells all, one who comes back needs no memory of the last.
    """
    event = changes.watch(row_id)
    last, number = None, 0
    try:
        while True:
            event.clear()
            try:
                now = show()
            except NotFound as error:
                yield ServerSentEvent(error.message, event="deleted", id=str(number + 1))
                return
            if now != last:
                number += 1
                yield ServerSentEvent(now.model_dump_json(by_alias=True), event="state", id=str(number))
            if now.state.is_terminal:
                return
            last = now
            await event.wait()
            await asyncio.sleep(_PAUSE_S + _PAUSE_PER_TOPIC_S * len(now.topics))
    finally:
        changes.unwatch(row_id, event)
