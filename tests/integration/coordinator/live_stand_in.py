"""What the live service says over HTTP, with nothing behind it: for faults that the real one has no switch for."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Response

from services.kit.app import create_app
from stoculus.errors import Conflict, NotFound, StoculusError
from stoculus.streams import StreamPlan, StreamSpec, StreamState, StreamStatus, TopicStatus
from tests.conftest import free_ports


@dataclass
class LiveStandIn:
    """Streams in memory; a restart forgets them. `refuses` and `refuses_plan` are raised while they are set.

    A stream that is stopped stays listed as stopping until `lets_go`.
    """

    port: int = field(default_factory=lambda: free_ports(1)[0])
    specs: dict[str, StreamSpec] = field(default_factory=dict)
    stopping: set[str] = field(default_factory=set)
    puts: list[str] = field(default_factory=list)
    state: StreamState = "running"
    topic_status: dict[str, int] = field(default_factory=dict)
    refuses: StoculusError | None = None
    refuses_plan: StoculusError | None = None
    lets_go: bool = True
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        config = uvicorn.Config(self._app(), port=self.port, log_config=None, timeout_graceful_shutdown=1)
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        while not server.started:
            time.sleep(0.01)

    def end(self) -> None:
        """End it, its memory too; harmless where it has ended."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
        self.specs.clear()
        self.stopping.clear()

    def reset(self) -> None:
        """As at its start, and there; its streams stay."""
        self.state, self.topic_status, self.lets_go = "running", {}, True
        self.refuses = self.refuses_plan = None
        if self._thread is None or not self._thread.is_alive():
            self.start()

    def _app(self) -> FastAPI:
        app = create_app("Stand-in", version="0", ready=_nothing)
        one = "/v1/streams/{stream_id}"
        app.add_api_route("/v1/streams:plan", self._plan, methods=["POST"])
        app.add_api_route("/v1/streams", self._list, methods=["GET"])
        app.add_api_route(one, self._put, methods=["PUT"])
        app.add_api_route(one, self._delete, methods=["DELETE"], status_code=202)
        return app

    async def _plan(self, spec: StreamSpec) -> StreamPlan:
        if self.refuses_plan:
            raise self.refuses_plan
        return StreamPlan(subscriptions=len(spec.feeds), in_use=0, notes=["So."])

    async def _list(self) -> dict[str, list[StreamStatus]]:
        statuses = [self._status(stream_id) for stream_id in self.specs]
        if self.lets_go:
            for stream_id in self.stopping:
                del self.specs[stream_id]
            self.stopping.clear()
        return {"streams": statuses}

    async def _put(self, stream_id: str, spec: StreamSpec, response: Response) -> StreamStatus:
        self.puts.append(stream_id)
        if self.refuses:
            raise self.refuses
        if stream_id in self.specs and self.specs[stream_id] != spec:
            raise Conflict(f"Stream {stream_id} is another one.")
        response.status_code = 200 if stream_id in self.specs else 202
        self.specs[stream_id] = spec
        return self._status(stream_id)

    async def _delete(self, stream_id: str) -> StreamStatus:
        if stream_id not in self.specs:
            raise NotFound(f"Stream {stream_id} is not held.")
        self.stopping.add(stream_id)
        return self._status(stream_id)

    def _status(self, stream_id: str) -> StreamStatus:
        topics = [TopicStatus(topic=t, subscriptions=1, **self.topic_status) for t in self.specs[stream_id].topics]
        state: StreamState = "stopping" if stream_id in self.stopping else self.state
        return StreamStatus(stream_id=stream_id, state=state, topics=topics)


def _nothing() -> Sequence[str]:
    return []
