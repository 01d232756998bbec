"""Brings the live service to the wanted state: topics exist, streams run that should, and none that should not."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import Counter

from coordinator.changes import Changes
from coordinator.live import LiveService
from coordinator.rounds import Rounds
from coordinator.streams.observations import Observations
from coordinator.streams.service import Streams
from coordinator.streams.states import Wanted
from coordinator.streams.store import Stream
from stoculus import logs
from stoculus.errors import Conflict, ServiceUnavailable, StoculusError, Terminal

AT_ONCE: Final = 8


class StreamKeeper(Rounds):
    """The reconcile loop. It asks the live service each round and assumes nothing; either side may restart.

    `create` makes topics at the broker. Streams of the service that the store does not know are left alone.
    """

    def __init__(
        self,
        *,
        streams: Streams,
        service: LiveService,
        observations: Observations,
        create: Callable[[list[str]], None],
        changes: Changes,
        errors: Counter,
    ) -> None:
        super().__init__(errors)
        self._streams = streams
        self._service = service
        self._observations = observations
        self._view = observations.service
        self._create = create
        self._changes = changes
        self._given: set[str] = set()
        self._requests = asyncio.Semaphore(AT_ONCE)

    async def _round(self) -> None:
        if self._streams.trouble:
            await self._guarded(self._streams.load)
        if self._streams.trouble:
            return
        await self._guarded(self._ask)
        if self._view.trouble is None:
            await asyncio.gather(*(self._look_after(one) for one in self._streams.all()))

    def _is_restless(self) -> bool:
        """Who deleted a stream waits for it to be gone."""
        stops = not self._streams.trouble and any(one.wanted is Wanted.STOP for one in self._streams.all())
        return stops and self._view.trouble is None

    async def _ask(self) -> None:
        """Ask the service which streams it has, and tell who watches what is new in them."""
        before, trouble = self._view.held, self._view.trouble
        try:
            self._view.held = await self._service.streams()
            self._view.trouble = None
        except StoculusError as error:
            self._view.trouble = str(error)
            raise
        finally:
            for one in self._streams.all():
                new = self._view.held.get(one.stream_id)
                if trouble != self._view.trouble or before.get(one.stream_id) != new:
                    self._changes.tell(one.stream_id)
        self._given &= self._view.held.keys()

    async def _look_after(self, stream: Stream) -> None:
        with logs.about(stream_id=stream.stream_id):
            await self._guarded(partial(self._settle, stream))

    async def _settle(self, stream: Stream) -> None:
        held = self._view.held.get(stream.stream_id)
        if stream.wanted is Wanted.RUN:
            # One that is held but was not given by this coordinator may be another of the same id: asking tells.
            is_there = held is not None and (held.state == "stopping" or stream.stream_id in self._given)
            if not is_there and stream.stream_id not in self._observations.failed:
                await self._start(stream)
        elif held is None:
            await self._streams.stopped(stream)
        elif held.state != "stopping":
            await self._stop(stream.stream_id)

    async def _start(self, stream: Stream) -> None:
        try:
            async with self._requests:
                await asyncio.to_thread(self._create, stream.topics)
                self._view.held[stream.stream_id] = await self._service.start(stream.spec)
            self._given.add(stream.stream_id)
            self._observations.forget(stream.stream_id)
        except Conflict:
            await self._stop(stream.stream_id)
        except ServiceUnavailable as error:
            self._view.trouble = str(error)
            raise
        except Terminal as error:
            self._observations.failed[stream.stream_id] = str(error)
            raise
        except StoculusError as error:
            self._observations.held_up[stream.stream_id] = str(error)
            raise
        finally:
            self._changes.tell(stream.stream_id)

    async def _stop(self, stream_id: str) -> None:
        async with self._requests:
            await self._service.stop(stream_id)
        self._given.discard(stream_id)
