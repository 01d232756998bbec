"""One WebSocket to the terminal, on the I/O-free protocol of `websockets`: no thread and no queue in between."""

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

LOOK_UP_S: Final = 0.02
"""How long a silent `receive` waits."""
_CHUNK_BYTES: Final = 65536
_MOST_MESSAGE_BYTES: Final = 1 << 20
_GOODBYE_S: Final = 1.0
_START = "Start the terminal, or correct its address; see the terminal's log if it runs."
_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Link:
    """Opens in the constructor: raises VendorUnreachable, VendorSilent, or what the answer to the handshake means."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._ended: StoculusError | None = None
        self._parts: list[bytes] = []
        try:
            uri = parse_uri(url)
        except InvalidURI as error:
            raise SettingsInvalid(str(error), remedy="Write it as ws://127.0.0.1:25520/v1/events.") from error
        self._protocol = ClientProtocol(uri, max_size=_MOST_MESSAGE_BYTES)
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
        protocol = self._protocol
        protocol.send_request(protocol.connect())
        self._flush()
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            try:
                self._feed(self._socket.recv(_CHUNK_BYTES))
            except TimeoutError as error:
                raise VendorSilent(f"{self._url} does not answer the WebSocket handshake.", remedy=_START) from error
            except OSError as error:
                raise self._unreachable(f"{type(error).__name__}: {error}") from error
        failure = protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            body = bytes(failure.response.body or b"")[:EVIDENCE_BYTES]
            raise error_of(failure.response.status_code, body, f"the stream at {self._url}") from failure
        if failure is not None:
            raise self._unreachable(f"{type(failure).__name__}: {failure}") from failure
        return self._messages()

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
        self._feed(data)
        messages = self._messages()
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

    def _feed(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()

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
