"""The live service, over HTTP."""

from pydantic import BaseModel, SecretStr

from coordinator.remote import PLAN_TIMEOUT_S, RemoteService, as_json
from stoculus.errors import NotFound
from stoculus.streams import StreamPlan, StreamSpec, StreamStatus


class _Held(BaseModel):
    streams: list[StreamStatus]


class LiveService(RemoteService):
    """The stream API of the live service at a URL. Every method raises ServiceUnavailable where it does not answer."""

    def __init__(self, url: str, token: SecretStr | None = None) -> None:
        super().__init__("live-stream", url, token)

    async def plan(self, spec: StreamSpec) -> StreamPlan:
        """What a stream would subscribe; raise InvalidRequest (field `feeds[3].ticker`), TierTooLow, a vendor's
        Transient."""
        return await self.read(StreamPlan, "POST", "/v1/streams:plan", as_json(spec), PLAN_TIMEOUT_S)

    async def streams(self) -> dict[str, StreamStatus]:
        """The streams that the service has now, by id."""
        answer = await self.read(_Held, "GET", "/v1/streams")
        return {status.stream_id: status for status in answer.streams}

    async def start(self, spec: StreamSpec) -> StreamStatus:
        """Give a stream to the service; the same one that it has stays; raise Conflict where it has another."""
        return await self.read(StreamStatus, "PUT", f"/v1/streams/{spec.stream_id}", as_json(spec))

    async def stop(self, stream_id: str) -> None:
        """Have a stream stopped; one that the service has not is fine."""
        try:
            await self.ask("DELETE", f"/v1/streams/{stream_id}")
        except NotFound:
            return
