"""A client of the simulator's stream, for its tests."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx2
import orjson
from websockets.sync.client import ClientConnection, connect

Message = dict[str, Any]
QUOTE_FIELDS = ("bid_size", "bid_exchange", "bid", "bid_condition", "ask_size", "ask_exchange", "ask", "ask_condition")
TRADE_FIELDS = ("sequence", "size", "condition", "price", "exchange")
ALL_DAY = {"start_time": "00:00:00", "end_time": "23:59:59.999"}


class Listener:
    """One connection; `request` answers with the word of the terminal, and keeps what came meanwhile."""

    def __init__(self, base_url: str, socket: ClientConnection) -> None:
        self.http = httpx2.Client(base_url=base_url, timeout=60)
        self.socket = socket
        self.messages: list[Message] = []
        self._next_id = 0

    def receive(self, timeout: float | None = 30) -> Message:
        self.messages.append(orjson.loads(self.socket.recv(timeout)))
        return self.messages[-1]

    def receive_until(self, kind: str, count: int = 1) -> Message:
        """Receive until so many messages of a type have come; the last of them."""
        while True:
            message = self.receive()
            count -= message["header"]["type"] == kind
            if not count:
                return message

    def send(self, message: object) -> None:
        self.socket.send(message if isinstance(message, str) else orjson.dumps(message).decode())

    def request(self, what: str, contract: Message | None, security: str = "STOCK", *, add: bool = True) -> str:
        self._next_id += 1
        kind = "STREAM" if contract else "STREAM_BULK"
        asked: Message = {"msg_type": kind, "sec_type": security, "req_type": what, "add": add, "id": self._next_id}
        self.send(asked | ({"contract": contract} if contract else {}))
        header = self.receive_until("REQ_RESPONSE")["header"]
        assert header["req_id"] == self._next_id
        return str(header["response"])

    def state(self) -> Message:
        shown: Message = self.http.get("/__stream").json()
        return shown

    def fault(self, **fault: Any) -> None:
        assert self.http.post("/__faults", json={"fault": fault}).status_code == 201

    def switch(self, **switches: Any) -> None:
        assert self.http.post("/__stream", json={"login_s": 0, "status_period_s": 0.1, **switches}).status_code == 200

    def receive_day(self) -> None:
        """Receive until nothing is left of the day."""
        while True:
            self.receive_until("STATUS")
            state = self.state()
            if state["position"] and not state["loading"] and not state["ticks_left"]:
                break
        self.catch_up()

    def receive_for_ever(self, timeout: float = 30) -> NoReturn:
        """Receive until that raises what ends it."""
        while True:
            self.receive(timeout)

    def catch_up(self) -> None:
        """Receive all that was sent until now."""
        self.request("QUOTE", {"root": "NOTHING"}, add=False)

    def bodies(self, kind: str) -> list[Message]:
        return [message[kind.lower()] for message in self.messages if message["header"]["type"] == kind]


@contextmanager
def listening(base_url: str, **switches: Any) -> Iterator[Listener]:
    """Connect to the stream of a simulator that logs in at once and tells its status ten times a second."""
    with httpx2.Client(base_url=base_url, timeout=60) as client:
        url = client.get("/__stream").json()["url"]
    with connect(url, ping_interval=None, close_timeout=1, compression=None, max_queue=None) as socket:
        listener = Listener(base_url, socket)
        with listener.http:
            if switches or listener.state()["switches"]["login_s"]:
                listener.switch(**switches)
            yield listener


def history(listener: Listener, path: str, query: Message) -> list[dict[str, str]]:
    answer = listener.http.get(f"/v3/{path}", params={**ALL_DAY, **query})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def of_history(rows: list[dict[str, str]], fields: tuple[str, ...]) -> list[tuple[float, ...]]:
    return [(_ms(row["timestamp"]), *(float(row[field]) for field in fields)) for row in rows]


def of_stream(bodies: list[Message], fields: tuple[str, ...]) -> list[tuple[float, ...]]:
    return [(body["ms_of_day"], *(float(body[field]) for field in fields)) for body in bodies]


def _ms(timestamp: str) -> int:
    hours, minutes, seconds = timestamp.partition("T")[2].split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)
