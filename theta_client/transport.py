"""HTTP bytes to and from a Theta Terminal: one pool for all threads, no total time-out, waits that end on demand."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpcore2
import httpx2

from stoculus.errors import VendorBodyCut, VendorSilent, VendorUnreachable

USER_AGENT: Final = "stoculus"
_LOOK_UP_S = 0.1  # how often a silent wait looks whether it is still wanted
_READ_BYTES = 256 * 1024  # httpcore asks for a quarter of it, and each read costs
_waiting = threading.local()  # .aborted: the event of the request that this thread waits for


class Cancelled(Exception):
    """The caller set the request's `aborted` event. It is no error: nothing failed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer whose body has not been read. `chunks` can be read once; a body cut short raises VendorBodyCut."""

    status: int
    chunks: Iterator[bytes]

    def first_bytes(self, most: int) -> bytes:
        """At most that many bytes of the body's start; the rest is not read."""
        taken = b""
        for chunk in self.chunks:
            taken += chunk
            if len(taken) >= most:
                break
        return taken[:most]


class Transport:
    """GET requests to one terminal. `idle_timeout_s` is the longest silence, before the answer or inside it.

    `user_agent` tells the programs apart: a proxy in between may give one of them a lane of its own.
    """

    def __init__(
        self, url: str, *, connect_timeout_s: float, idle_timeout_s: float, user_agent: str = USER_AGENT
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = httpx2.Timeout(idle_timeout_s, connect=connect_timeout_s, pool=None)
        headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": user_agent}
        self._client = httpx2.Client(transport=_Pool(), timeout=self._timeout, headers=headers)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def get(
        self, path: str, params: Mapping[str, str], aborted: threading.Event, *, idle_timeout_s: float | None = None
    ) -> Iterator[Answer]:
        """The answer to GET `/v3/<path>`. Raises VendorUnreachable, VendorSilent or Cancelled."""
        timeout = httpx2.Timeout(idle_timeout_s or self._timeout.read, connect=self._timeout.connect, pool=None)
        request = self._client.build_request("GET", f"{self._url}/v3/{path}", params=params, timeout=timeout)
        with self._failures(VendorUnreachable, f"No answer from the Theta Terminal at {self._url}"), _wakes_on(aborted):
            response = self._client.send(request, stream=True)
        try:
            yield Answer(response.status_code, self._chunks(response, aborted))
        finally:
            response.close()

    def _chunks(self, response: httpx2.Response, aborted: threading.Event) -> Iterator[bytes]:
        raw = response.iter_raw()
        while True:
            with self._failures(VendorBodyCut, f"The answer of {self._url} broke off"), _wakes_on(aborted):
                chunk = next(raw, None)
            if chunk is None:
                return
            yield chunk

    @contextmanager
    def _failures(self, lost: type[VendorUnreachable | VendorBodyCut], what: str) -> Iterator[None]:
        try:
            yield
        except httpx2.ReadTimeout as error:
            raise VendorSilent(
                f"The Theta Terminal at {self._url} sent nothing within its idle time-out.",
                remedy="A hung terminal needs a restart; a queue of long requests needs a longer time-out.",
            ) from error
        except httpx2.TransportError as error:
            raise lost(
                f"{what} ({type(error).__name__}: {error}).",
                remedy="Start the terminal, or correct its address; see the terminal's log if it runs.",
            ) from error


@contextmanager
def _wakes_on(aborted: threading.Event) -> Iterator[None]:
    _waiting.aborted = aborted
    try:
        yield
    finally:
        _waiting.aborted = None


class _Pool(httpx2.HTTPTransport):
    """Unlimited connections (the session limits requests), none by way of a proxy, reads that can be woken."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            max_connections=None, max_keepalive_connections=8, network_backend=_Backend()
        )


class _Backend(httpcore2.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        return _Stream(super().connect_tcp(*args, **kwargs))


class _Stream(httpcore2.NetworkStream):
    """A socket whose read is a row of short reads: closing a socket does not wake another thread's read of it."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = timeout
        while True:
            aborted: threading.Event | None = getattr(_waiting, "aborted", None)
            if aborted is not None and aborted.is_set():
                raise Cancelled
            wait = _LOOK_UP_S if left is None else min(left, _LOOK_UP_S)
            try:
                return self._inner.read(max(max_bytes, _READ_BYTES), wait)
            except httpcore2.ReadTimeout:
                left = None if left is None else left - wait
                if left is not None and left <= 0:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
