"""The changes of a backtest as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable

from sse_starlette import ServerSentEvent

from coordinator.backtests.views import BacktestDetail
from coordinator.progress import Changes
from stoculus.errors import NotFound

_PAUSE_S = 0.2
_PAUSE_PER_TASK_S = 0.002


async def follow(
    backtest_id: str, changes: Changes, show: Callable[[], BacktestDetail]
) -> AsyncIterator[ServerSentEvent]:
    """`state` events with the whole backtest: at once, and at each change until it is terminal; `deleted` if it goes.

    Since each event tells all, one who comes back needs no memory of the last.
    """
    event = changes.watch(backtest_id)
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
            await asyncio.sleep(_PAUSE_S + _PAUSE_PER_TASK_S * len(now.tasks))
    finally:
        changes.unwatch(backtest_id, event)
