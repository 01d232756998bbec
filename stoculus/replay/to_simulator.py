"""Replays to the simulator's WebSocket: recorded ticks as the vendor streams them, to whoever has subscribed them."""

from collections.abc import Sequence
from typing import Any, Final

import httpx2
import pyarrow as pa

from stoculus.errors import InvalidRequest, ServiceUnavailable, SettingsInvalid
from stoculus.reading.feed import Feed
from stoculus.replay.outlet import Takes
from stoculus.replay.rows import Mark, Rows

_STREAMED: Final = frozenset({"quote", "trade"})
_ASK_S: Final = 0.1
_QUIET_S: Final = 1.0
"""The replay starts when so long no subscription has come, as the simulator's own day does."""
_TIMEOUT: Final = httpx2.Timeout(60, connect=5)


class ToSimulator:
    """An `Outlet`: the tape of a simulator, at its REST URL; it waits until something is subscribed.

    Raise InvalidRequest for what the vendor does not stream, ServiceUnavailable where no simulator answers.
    """

    waits_for = "a client that subscribes"
    is_clear = True
    missing = 0

    def __init__(self, url: str, feeds: Sequence[Feed]) -> None:
        _check(feeds)
        self.marks: dict[int, Mark] = {}
        self.names = [feed.topic for feed in feeds]
        self._http = httpx2.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)
        self._url = url
        self._subscriptions = 0
        self._asked_s = self._changed_s = float("-inf")
        self._is_heard = False

    def open(self) -> None:
        """Make the simulator's own day quiet."""
        self._feed(b"")

    def prepare(self, rows: Rows) -> Rows:
        """See `Outlet`."""
        return rows

    def takes(self, now_s: float) -> Takes:
        """See `Outlet`."""
        if not self._is_heard and now_s - self._asked_s >= _ASK_S:
            self._asked_s = now_s
            held = self._ask("GET", "/__stream")["subscriptions"]
            if held != self._subscriptions:
                self._subscriptions, self._changed_s = held, now_s
            self._is_heard = held > 0 and now_s - self._changed_s >= _QUIET_S
        return Takes.ROWS if self._is_heard else Takes.NOTHING

    def send(self, rows: Rows, first: int, end: int) -> None:
        """See `Outlet`. It returns when the clients have taken the rows."""
        body = pa.BufferOutputStream()
        for lane in rows.lanes:
            span = lane.span(first, end)
            if span.start < span.stop:
                records = lane.records.slice(span.start, span.stop - span.start)
                batch = records.append_column("at", pa.array(lane.at[span] - first))
                batch = batch.replace_schema_metadata({"record": lane.record.name})
                with pa.ipc.new_stream(body, batch.schema) as stream:
                    stream.write_batch(batch)
        self._feed(body.getvalue().to_pybytes())

    def start_over(self) -> None:
        """See `Outlet`."""

    def settle(self) -> None:
        """See `Outlet`."""
        self._feed(b"", params={"over": "true"})

    def close(self) -> None:
        """See `Outlet`."""
        self._http.close()

    def _feed(self, body: bytes, **more: Any) -> None:
        self._ask("POST", "/__tape", content=body, **more)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, path, **more)
        except httpx2.TransportError as error:
            raise ServiceUnavailable(
                f"The simulator at {self._url} does not answer: {error}",
                remedy="Start it: `stoculus simulator`. Or set STOCULUS_THETA_URL.",
            ) from error
        if answer.status_code != httpx2.codes.OK:
            raise SettingsInvalid(
                f"What answers at {self._url} takes no tape ({path}: {answer.status_code} {answer.text[:200]}).",
                remedy="Set STOCULUS_THETA_URL to a simulator of this version: a terminal cannot be fed.",
            )
        return answer.json()


def _check(feeds: Sequence[Feed]) -> None:
    """Raise InvalidRequest where a topic holds what is not streamed."""
    streamed = [feed.topic for feed in feeds if feed.schema.name in _STREAMED]
    other = next((feed for feed in feeds if feed.schema.name not in _STREAMED), None)
    if other is not None:
        raise InvalidRequest(
            f"{other.topic} holds {other.schema.name}: the vendor's WebSocket streams quotes and trades, every tick.",
            remedy=f"Choose topics: {' '.join(f'--topic {topic}' for topic in streamed)}."
            if streamed
            else "Submit a backtest of schema quote or trade, without an interval.",
            field="topics",
        )
