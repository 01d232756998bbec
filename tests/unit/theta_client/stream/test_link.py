"""The frames that are cut here and those that the library cuts make one stream of messages."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from stoculus.errors import StoculusError, VendorFault, VendorUnreachable
from theta_client.stream.link import Link


@contextmanager
def linked(first: bytes = b"") -> Iterator[tuple[Link, socket.socket]]:
    """A link and the server's end of it. `first` comes in one piece with the answer to the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends: list[socket.socket] = []

        def shake_hands() -> None:
            ends.append(listener.accept()[0])
            protocol = ServerProtocol()
            protocol.receive_data(ends[0].recv(65536))
            [request] = protocol.events_received()
            assert isinstance(request, Request)
            protocol.send_response(protocol.accept(request))
            ends[0].sendall(b"".join(protocol.data_to_send()) + first)

        thread = threading.Thread(target=shake_hands)
        thread.start()
        link = Link(f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/events", timeout_s=20)
        thread.join()
        with ends[0]:
            yield link, ends[0]
            link.close(stop=False, monotonic=time.monotonic)


def wire(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def received(link: Link, count: int) -> list[bytes]:
    messages: list[bytes] = []
    end = time.monotonic() + 20
    while len(messages) < count:
        assert time.monotonic() < end
        messages += link.receive()
    return messages


def until_it_ends(link: Link) -> tuple[list[bytes], StoculusError]:
    messages: list[bytes] = []
    while True:
        try:
            messages += link.receive()
        except StoculusError as error:
            return messages, error


texts = st.binary(max_size=10) | st.sampled_from([b"x" * n for n in (125, 126, 127, 200, 65535, 65536, 70000)])


@st.composite
def messages_on_the_wire(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    messages, sent = [], b""
    for _ in range(draw(st.integers(0, 6))):
        data = draw(texts)
        match draw(st.sampled_from(["whole", "whole", "binary", "ping", "pong", "parts"])):
            case "ping":
                sent += wire(Opcode.PING, data[:100])
                continue
            case "pong":
                sent += wire(Opcode.PONG, data[:100])
                continue
            case "parts":
                half = len(data) // 2
                sent += wire(Opcode.TEXT, data[:half], fin=False)
                sent += wire(Opcode.PING, b"between") + wire(Opcode.CONT, data[half:])
            case "binary":
                sent += wire(Opcode.BINARY, data)
            case _:
                sent += wire(Opcode.TEXT, data)
        messages.append(data)
    return messages, sent


@settings(max_examples=60, deadline=None)
@given(messages_on_the_wire(), st.data())
def test_however_the_bytes_are_split_the_messages_are_the_same(
    sent: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    messages, raw = sent
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    first, *others = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    with linked(first) as (link, server):
        for part in others:
            server.sendall(part)
        assert received(link, len(messages)) == messages
        server.sendall(wire(Opcode.TEXT, b"last") + wire(Opcode.CLOSE, b"\x03\xe8bye") + wire(Opcode.TEXT, b"too late"))
        rest, error = until_it_ends(link)
        assert rest == [b"last"]
        assert isinstance(error, VendorUnreachable)
        assert "1000 bye" in error.message


@pytest.mark.parametrize(
    "broken",
    [
        wire(Opcode.TEXT, b"masked", mask=True),
        wire(Opcode.TEXT, b"x" * (1 << 20)),
        wire(Opcode.TEXT, b"x" * (1 << 20))[:20],
        wire(Opcode.CONT, b"of nothing"),
        b"\xc1\x01x",
        b"\x83\x01x",
    ],
    ids=["masked", "too long", "announced too long", "a continuation of nothing", "reserved bit", "unknown opcode"],
)
def test_frames_against_the_protocol_are_the_terminals_fault(broken: bytes) -> None:
    with linked() as (link, server):
        server.sendall(wire(Opcode.TEXT, b"good") + broken)
        messages, error = until_it_ends(link)
        assert messages == [b"good"]
        assert isinstance(error, VendorFault)


def test_an_end_within_a_frame_is_a_broken_connection() -> None:
    with linked(wire(Opcode.TEXT, b"good") + b"\x81\x05ab") as (link, server):
        server.shutdown(socket.SHUT_WR)
        messages, error = until_it_ends(link)
        assert messages == [b"good"]
        assert isinstance(error, VendorUnreachable)


def test_what_is_sent_is_masked_text() -> None:
    with linked() as (link, server), closing(server):
        link.send(b'{"msg_type":"STOP"}')
        raw = server.recv(100)
        assert raw[0] == 0x81
        assert raw[1] == 0x80 | 19


def test_the_handshake_says_which_program_asks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heads: list[bytes] = []

        def refuse() -> None:
            connection = listener.accept()[0]
            with connection:
                heads.append(connection.recv(65536))

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/events"
        with pytest.raises(VendorUnreachable):
            Link(url, timeout_s=20, user_agent="stoculus-live-stream/1.0")
        thread.join()

    assert heads[0].count(b"User-Agent:") == 1
    assert b"\r\nUser-Agent: stoculus-live-stream/1.0\r\n" in heads[0]
