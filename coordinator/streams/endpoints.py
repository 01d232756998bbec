"""/v1/streams: the API of design section 5."""

from dataclasses import dataclass

from fastapi import APIRouter, Depends, Response
from sse_starlette import EventSourceResponse

from coordinator.access.limits import Seats
from coordinator.access.scopes import Scope, needs
from coordinator.changes import Changes
from coordinator.events import HEARTBEAT_S, follow
from coordinator.streams.models import StreamSubmission
from coordinator.streams.observations import Observations
from coordinator.streams.service import Streams
from coordinator.streams.store import Stream
from coordinator.streams.views import StreamList, StreamView, SubmittedStream, view


@dataclass(frozen=True, slots=True)
class StreamsApi:
    """The endpoints and what they need."""

    streams: Streams
    observations: Observations
    changes: Changes
    seats: Seats

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1", tags=["streams"])
        add, read, write = router.add_api_route, needs(Scope.READ_STREAMS), needs(Scope.WRITE_STREAMS)
        seat = Depends(self.seats.hold)
        add(
            "/streams",
            self.submit,
            methods=["POST"],
            status_code=202,
            response_model=SubmittedStream,
            dependencies=write,
        )
        add("/streams", self.list, methods=["GET"], dependencies=read)
        one = "/streams/{stream_id}"
        add(
            f"{one}/events",
            self.events,
            methods=["GET"],
            response_class=EventSourceResponse,
            dependencies=[*read, seat],
        )
        add(one, self.show, methods=["GET"], dependencies=read)
        add(one, self.delete, methods=["DELETE"], status_code=202, dependencies=write)
        return router

    async def submit(self, submission: StreamSubmission, response: Response) -> SubmittedStream:
        """Submit a stream. 202: it is new. 200: it was submitted before with this id and this request."""
        stream, plan = await self.streams.submit(submission)
        response.status_code = 202 if plan else 200
        response.headers["Location"] = f"/v1/streams/{stream.stream_id}"
        return SubmittedStream(**dict(self._view(stream)), notes=plan.notes if plan else [])

    async def list(self) -> StreamList:
        """All streams, the newest first."""
        return StreamList(streams=[self._view(stream) for stream in self.streams.all()])

    async def show(self, stream_id: str) -> StreamView:
        """A stream with its topics."""
        return self._view(self.streams.get(stream_id))

    async def delete(self, stream_id: str) -> StreamView:
        """Stop a stream. It is gone when the live service has confirmed it; its topics stay, its id is free again."""
        return self._view(await self.streams.delete(stream_id))

    async def events(self, stream_id: str) -> EventSourceResponse:
        """Server-sent events: `state` with the whole stream at once and at each change; `deleted` when it is gone."""
        self.streams.get(stream_id)
        stream = follow(stream_id, self.changes, lambda: self._view(self.streams.get(stream_id)))
        return EventSourceResponse(stream, ping=HEARTBEAT_S)

    def _view(self, stream: Stream) -> StreamView:
        return view(stream, self.observations)
