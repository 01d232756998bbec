"""The routes below /v1."""

from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import BaseModel

from services.kit.app import Located
from services.live_stream.instance import Instance
from services.live_stream.plan import LivePlanner
from services.live_stream.wanted import Streams
from stoculus.errors import InvalidRequest, NotFound
from stoculus.streams import StreamPlan, StreamSpec, StreamStatus


class Statuses(BaseModel):
    """The streams that the service has."""

    streams: list[StreamStatus]


def stream_routes(streams: Streams, instance: Instance, planner: LivePlanner) -> APIRouter:
    """What the coordinator asks."""
    routes = APIRouter(prefix="/v1", tags=["streams"])

    @routes.post("/streams:plan")
    def plan(spec: Annotated[StreamSpec, Located]) -> StreamPlan:
        """Check a stream against the vendor and the account's tier. Nothing is started."""
        return planner.plan(spec, instance.subscriptions(but=spec.stream_id), instance.day)

    @routes.put("/streams/{stream_id}", status_code=status.HTTP_202_ACCEPTED)
    def put(stream_id: str, spec: Annotated[StreamSpec, Located], response: Response) -> StreamStatus:
        """Want a stream from now on; again changes nothing (200). Its topics exist."""
        if spec.stream_id != stream_id:
            raise InvalidRequest(f"The path names {stream_id}.", remedy="Name the same stream.", field="stream_id")
        if not streams.put(spec):
            response.status_code = status.HTTP_200_OK
        return instance.status(spec, is_stopping=False)

    @routes.get("/streams")
    def show_all() -> Statuses:
        """The streams that the service has, those that are being stopped too."""
        return Statuses(streams=instance.statuses())

    @routes.get("/streams/{stream_id}")
    def show(stream_id: str) -> StreamStatus:
        """One stream."""
        for one in instance.statuses():
            if one.stream_id == stream_id:
                return one
        raise NotFound(f"There is no stream {stream_id} here.", remedy="GET /v1/streams lists what there is.")

    @routes.delete("/streams/{stream_id}", status_code=status.HTTP_202_ACCEPTED)
    def stop(stream_id: str) -> StreamStatus:
        """Want a stream no longer. Its topics stay."""
        return instance.status(streams.remove(stream_id), is_stopping=True)

    return routes
