"""A canned terminal: a socket that answers as scripted, byte for byte, faults of the network included."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, time
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pytest

from theta_client.client import Budget, HistoryRequest, ThetaClient, Window
from theta_client.session import BUDGETS

QUOTE = (
    pa.schema([pa.field("timestamp", pa.timestamp("us"), nullable=False)])
    .append(pa.field("bid_size", pa.int64(), nullable=False))
    .append(pa.field("bid", pa.float64(), nullable=False))
    .append(pa.field("ask", pa.float64()))
)
DAY = date(2024, 1, 2)
THREADS = ThreadPoolExecutor(2)
Step = Callable[[socket.socket], None]


def ok(body: bytes, *, chunked: bool = False) -> Step:
    return answer(200, body, chunked=chunked)


def answer(status: int, body: bytes, *, chunked: bool = False) -> Step:
    if chunked:
        half = len(body) // 2
        head = b"transfer-encoding: chunked"
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
        return send(b"HTTP/1.1 %d X\r\n%b\r\n\r\n%b0\r\n\r\n" % (status, head, sent))
    return send(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))


def send(raw: bytes) -> Step:
    return lambda connection: connection.sendall(raw)


def hang(connection: socket.socket) -> None:
    """Say nothing until the client goes away."""
    with suppress(OSError):
        connection.recv(1)


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@dataclass
class CannedTerminal:
    """Answers the n-th data request with the n-th script (the last one for ever); `status` is its status word."""

    scripts: list[tuple[Step, ...]] = field(default_factory=list)
    status: str = "CONNECTED"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    status_probes: int = 0
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def plays(self, *scripts: Step | tuple[Step, ...]) -> None:
        self.scripts = [script if isinstance(script, tuple) else (script,) for script in scripts]

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while request := self._request(connection):
                self._answer(connection, request)

    def _request(self, connection: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            some = connection.recv(65536)
            if not some:
                return b""
            head += some
        return head

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        headers = dict(line.lower().split(": ", 1) for line in request.decode().split("\r\n")[1:] if line)
        self.agents.add(headers.get("user-agent", ""))
        url = urlsplit(request.split(b" ")[1].decode())
        if url.path == "/v3/terminal/mdds/status":
            self.status_probes += 1
            ok(self.status.encode())(connection)
            return
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            self.asked.append((url.path, dict(parse_qsl(url.query))))
            script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        try:
            for step in script:
                step(connection)
        finally:
            with self.lock:
                self.under_way -= 1


@pytest.fixture
def terminal() -> Iterator[CannedTerminal]:
    canned = CannedTerminal()
    yield canned
    canned.close()


@dataclass
class Naps:
    """Sleeps that take no time and are written down."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float, aborted: threading.Event) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(terminal: CannedTerminal, naps: Naps) -> Iterator[ThetaClient]:
    with ThetaClient(terminal.url, "pro", sleep=naps, random=lambda: 0.5) as theta:
        yield theta


@pytest.fixture
def impatient_client(terminal: CannedTerminal, naps: Naps) -> Iterator[ThetaClient]:
    with ThetaClient(terminal.url, "pro", idle_timeout_s=0.3, sleep=naps, random=lambda: 0.5) as theta:
        yield theta


def window(*days: date, start_time: time = time(9, 30), end_time: time = time(16)) -> Window:
    return Window(days[0], days[-1], days, start_time, end_time)


@pytest.fixture
def request_of_a_day() -> HistoryRequest:
    return HistoryRequest("quote", "AAPL", window(DAY), "tick")


def short_budgets(attempts: int) -> Mapping[type, Budget]:
    return {cause: Budget(attempts, 0.01, 0.01) for cause in BUDGETS}
