"""A canned terminal's WebSocket: answers as scripted, beats, closes and breaks off on demand."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

QUOTE = (
    b'{"header":{"status":"CONNECTED","type":"QUOTE"},"contract":{"security_type":"OPTION","root":"SPXW",'
    b'"expiration":20240315,"strike":4800000,"right":"C"},"quote":{"ms_of_day":26622025,"bid_size":7,'
    b'"bid_exchange":5,"bid":110.2,"bid_condition":50,"ask_size":7,"ask_exchange":5,"ask":110.5,'
    b'"ask_condition":50,"date":20231219}}'
)
STOCK_QUOTE = (
    b'{"header":{"type":"QUOTE","status":"CONNECTED"},"contract":{"security_type":"STOCK","root":"AAPL"},'
    b'"quote":{"ms_of_day":38437457,"bid_size":235,"bid_exchange":29,"bid":184.49,"bid_condition":0,'
    b'"ask_size":100,"ask_exchange":29,"ask":184.5,"ask_condition":0,"date":20240503}}'
)
OPTION_TRADE = (
    b'{"header":{"status":"CONNECTED","type":"TRADE"},"contract":{"security_type":"OPTION","root":"QQQ",'
    b'"expiration":20231110,"strike":360000,"right":"P"},"trade":{"ms_of_day":49531278,"sequence":-563040482,'
    b'"size":5,"condition":18,"price":1.06,"exchange":65,"date":20231103}}'
)
STOCK_TRADE = (
    b'{"header":{"type":"TRADE","status":"CONNECTED"},"contract":{"security_type":"STOCK","root":"AAPL"},'
    b'"trade":{"ms_of_day":38437607,"sequence":12150295,"size":500,"condition":0,"price":184.5099,"exchange":57,'
    b'"date":20240503}}'
)
INDEX_TRADE = (
    b'{"header":{"type":"TRADE","status":"CONNECTED"},"contract":{"security_type":"INDEX","root":"SPX"},'
    b'"trade":{"ms_of_day":51952000,"sequence":0,"size":0,"condition":0,"price":5333.39,"exchange":5,'
    b'"date":20240809}}'
)
OHLC = (
    b'{"header":{"type":"OHLC","status":"CONNECTED"},"contract":{"security_type":"STOCK","root":"NVDA"},'
    b'"ohlc":{"ms_of_day":39657065,"open":953.85,"high":956.6,"low":931.55,"close":947.51,"volume":10046138,'
    b'"count":244304,"date":20240521}}'
)
Answer = Callable[[dict[str, Any]], str | None]


def subscribed(request: dict[str, Any]) -> str | None:
    return "SUBSCRIBED"


@dataclass
class CannedStream:
    """`word` goes out every `beat_s` (None: silence); `answer` gives the response to a request (None: no answer)."""

    word: str | None = "CONNECTED"
    answer: Answer = subscribed
    beat_s: float = 0.05
    handshake_status: int | None = None
    asked: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    clients: list[ServerConnection] = field(default_factory=list)
    handlers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = serve(
            self._serve, "127.0.0.1", 0, compression=None, ping_interval=None, process_request=self._shake
        )
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/v1/events"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def requests(self, connection: int = 1) -> list[dict[str, Any]]:
        return [request for number, request in self.asked if number == connection]

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.clients[-1].send(frame.decode())

    def reset(self) -> None:
        """Break off without a good-bye: the client sees 1006."""
        client = self.clients[-1].socket
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the clients go, and wait until all that they have sent is read."""
        self.server.shutdown()
        for client in self.clients:
            with suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for handler in self.handlers:
            handler.join()

    def _shake(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.handshake_status is not None:
            return connection.respond(self.handshake_status, "no\n")
        return None if request.path == "/v1/events" else connection.respond(404, "unknown path\n")

    def _serve(self, client: ServerConnection) -> None:
        self.handlers.append(threading.current_thread())
        self.clients.append(client)
        number = len(self.clients)
        with suppress(ConnectionClosed):
            while True:
                if self.word is not None:
                    client.send(f'{{"header":{{"type":"STATUS","status":"{self.word}"}}}}')
                with suppress(TimeoutError):
                    while True:
                        self._answer(number, client, client.recv(timeout=self.beat_s))

    def _answer(self, number: int, client: ServerConnection, message: str | bytes) -> None:
        request = orjson.loads(message)
        self.asked.append((number, request))
        response = self.answer(request) if "id" in request else None
        if response is not None:
            header = {"type": "REQ_RESPONSE", "status": self.word or "", "response": response, "req_id": request["id"]}
            client.send(orjson.dumps({"header": header}).decode())


@pytest.fixture
def stream() -> Iterator[CannedStream]:
    canned = CannedStream()
    yield canned
    canned.close()
