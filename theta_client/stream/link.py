"""One WebSocket to the terminal, on the I/O-free protocol of `websockets`: no thread and no queue in between.

Frames are cut here (RFC 6455 5.2): nearly all are short whole texts, for which the library takes five times as long.
Every other frame is the library's.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from stoculus.errors import (
    SessionTaken,
    SettingsInvalid,
    StoculusError,
    VendorFault,
    VendorSilent,
    VendorUnreachable,
)
from theta_client.protocol import EVIDENCE_BYTES, error_of
from theta_client.stream.subscription import STOP
from theta_client.transport import USER_AGENT

LOOK_UP_S: Final = 0.02
"""How long a silent `receive` waits."""
_CHUNK_BYTES: Final = 65536
_TOO_LONG: Final = 1 << 20
_GOODBYE_S: Final = 1.0
_START = "Start the terminal, or correct its address; see the terminal's log if it runs."
_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_HEAD_END: Final = b"\r\n\r\n"
_WHOLE_TEXT: Final = 0x81


class Link:
    """Opens in the constructor: raises VendorUnreachable, VendorSilent, or what the answer to the handshake means."""

    def __init__(self, url: str, *, timeout_s: float, user_agent: str = USER_AGENT) -> None:
        self._url = url
        self._user_agent = user_agent
        self._ended: StoculusError | None = None
        self._rest = b""  # the start of a frame
        self._parts: list[bytes] = []  # of a message in several frames
        try:
            uri = parse_uri(url)
        except InvalidURI as error:
            raise SettingsInvalid(str(error), remedy="Write it as ws://127.0.0.1:25520/v1/events.") from error
        self._protocol = ClientProtocol(uri, max_size=_TOO_LONG - 1)
        try:
            self._socket = socket.create_connection((uri.host, uri.port), timeout_s)
        except OSError as error:
            raise self._unreachable(f"{type(error).__name__}: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._early = self._shake_hands()
            self._socket.settimeout(LOOK_UP_S)
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self) -> list[bytes]:
        """Messages that came with the answer."""
        protocol = self._protocol
        request = protocol.connect()
        request.headers["User-Agent"] = self._user_agent
        protocol.send_request(request)
        self._flush()
        head = self._read()
        while _HEAD_END not in head and len(head) < _CHUNK_BYTES and (more := self._read()):
            head += more
        head, blank, rest = head.partition(_HEAD_END)
        self._feed(head + blank)
        if protocol.state is State.OPEN:
            return self._cut(rest)
        if rest:
            self._feed(rest)
        while protocol.handshake_exc is None:
            self._feed(self._read())
        failure = protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            body = bytes(failure.response.body or b"")[:EVIDENCE_BYTES]
            raise error_of(failure.response.status_code, body, f"the stream at {self._url}") from failure
        raise self._unreachable(f"{type(failure).__name__}: {failure}") from failure

    def _read(self) -> bytes:
        try:
            return self._socket.recv(_CHUNK_BYTES)
        except TimeoutError as error:
            raise VendorSilent(f"{self._url} does not answer the WebSocket handshake.", remedy=_START) from error
        except OSError as error:
            raise self._unreachable(f"{type(error).__name__}: {error}") from error

    def receive(self) -> list[bytes]:
        """The messages that one read of the socket completed; [] where nothing came for LOOK_UP_S.

        Raises VendorUnreachable where the connection broke off, SessionTaken where another client took its place,
        VendorFault where the terminal broke the protocol; all that came before has been given out then.
        """
        if self._early:
            early, self._early = self._early, []
            return early
        if self._ended is not None:
            raise self._ended
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except TimeoutError:
            return []
        except OSError as error:
            raise self._unreachable(f"{type(error).__name__}: {error}") from error
        messages = self._cut(data) if data else self._feed(data)
        if self._protocol.state is not State.OPEN:
            self._ended = self._end()
            if not messages:
                raise self._ended
        return messages

    def send(self, message: bytes) -> None:
        """Send a text message. Raises VendorUnreachable where the terminal takes none."""
        self._protocol.send_text(message)
        self._flush()

    def ping(self) -> None:
        self._protocol.send_ping(b"")
        self._flush()

    def close(self, *, stop: bool, monotonic: Callable[[], float]) -> None:
        """Close. With `stop`, end the terminal's subscriptions before, and wait a second at most for its good-bye."""
        with suppress(OSError, StoculusError), self._socket:
            if not stop or self._protocol.state is not State.OPEN:
                return
            self._protocol.send_text(STOP)
            self._protocol.send_close(1000)
            self._flush()
            # Closed with unread data the socket would send a reset, which may overtake the good-bye.
            end = monotonic() + _GOODBYE_S
            while monotonic() < end:
                with suppress(TimeoutError):
                    if not self._socket.recv(_CHUNK_BYTES):
                        return

    def _cut(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes."""
        data = self._rest + data
        messages: list[bytes] = []
        place, end = 0, len(data)
        while end - place >= 2:
            length, body = data[place + 1], place + 2
            if length == 126:
                length, body = int.from_bytes(data[body : body + 2]), body + 2
            elif length == 127:
                length, body = int.from_bytes(data[body : body + 8]), body + 8
            elif length > 127:  # masked, which only a client's frame may be
                length = _TOO_LONG
            if body > end:
                break
            after = end if length >= _TOO_LONG else body + length  # the library says what is wrong
            if after > end:
                break
            if data[place] == _WHOLE_TEXT and length < _TOO_LONG and not self._parts:
                messages.append(data[body:after])
            else:
                messages += self._feed(data[place:after])
            place = after
            if self._protocol.state is not State.OPEN:
                break
        self._rest = data[place:]
        return messages

    def _feed(self, data: bytes) -> list[bytes]:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()
        return self._messages()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            try:
                if data:
                    self._socket.sendall(data)
            except OSError as error:
                # At the other side's good-bye it may be gone already; the reason is in what it sent.
                if self._protocol.state in (State.OPEN, State.CONNECTING):
                    raise self._unreachable(f"{type(error).__name__}: {error}") from error

    def _messages(self) -> list[bytes]:
        messages: list[bytes] = []
        for event in self._protocol.events_received():
            if not isinstance(event, Frame) or event.opcode not in _DATA:
                continue
            data = bytes(event.data)
            if event.fin and not self._parts:
                messages.append(data)
                continue
            self._parts.append(data)
            if event.fin:
                messages.append(b"".join(self._parts))
                self._parts = []
        return messages

    def _end(self) -> StoculusError:
        protocol = self._protocol
        close = protocol.close_rcvd
        if close is not None and "replaced" in close.reason.lower():
            return SessionTaken(
                f"Another client took the stream of {self._url} over ({close.code} {close.reason}).",
                remedy="A terminal serves one client: stop the other one.",
            )
        if close is not None:
            return self._unreachable(f"closed with {close.code} {close.reason}".rstrip())
        if protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError):
            return VendorFault(f"{self._url} broke the WebSocket protocol: {protocol.parser_exc}.", remedy=_START)
        return self._unreachable("broke off")

    def _unreachable(self, why: str) -> VendorUnreachable:
        return VendorUnreachable(f"No stream from the Theta Terminal at {self._url} ({why}).", remedy=_START)
