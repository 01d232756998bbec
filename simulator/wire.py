"""Sending an answer: small bodies with their length, large ones in chunks; and the faults of connections."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from anyio import to_thread
from starlette.types import Send

from simulator.faults import Cut, Fault, Reset, Silent, Slow, Stall, TruncateChunked
from simulator.formats import Bytes

SERVER = b"Jetty(12.0.14)"
CHUNK_BYTES = 256 * 1024
# Bodies up to this size carry Content-Length.
SMALL_BYTES = 32 * 1024
_SLOW_STEPS_PER_S = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body. The body's iterator runs in a worker thread."""

    status: int
    media_type: str
    body: Iterator[Bytes] = field(default_factory=lambda: iter(()))

    @classmethod
    def text(cls, status: int, text: str, media_type: str = "text/plain") -> "Answer":
        return cls(status, media_type, iter((text.encode(),)))


async def send_answer(send: Send, answer: Answer, fault: Fault | None, transport: asyncio.Transport) -> None:
    """Send the whole answer, as the fault has it. Returns when all is sent, even if the client is gone."""
    if isinstance(fault, Silent):
        await _be_silent(send, answer, fault, transport)
        return
    if isinstance(fault, Reset) and fault.after_bytes == 0:
        await _reset(transport)
        return
    first, rest = await _first(_pieces(answer.body))
    body = _limited(_chained(first, rest), fault) if isinstance(fault, Cut | Reset | TruncateChunked) else None
    length = None if rest or isinstance(fault, Reset | TruncateChunked) else len(first)
    if length is not None and isinstance(fault, Cut):
        length = min(length, fault.after_bytes)
    await send(_head(answer, length))
    async for piece in body or _paced(_chained(first, rest), fault):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if isinstance(fault, Reset):
        await _reset(transport)
    elif isinstance(fault, TruncateChunked):
        await _close(transport)
    else:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _head(answer: Answer, length: int | None) -> dict[str, object]:
    headers = [(b"content-type", answer.media_type.encode()), (b"server", SERVER)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _pieces(body: Iterator[Bytes]) -> AsyncIterator[Bytes]:
    """The runs of the body; the next one is made while the one before is sent."""
    making = asyncio.create_task(to_thread.run_sync(next, body, None))
    try:
        while (run := await making) is not None:
            making = asyncio.create_task(to_thread.run_sync(next, body, None))
            yield run
    finally:
        making.cancel()


async def _first(pieces: AsyncIterator[Bytes]) -> tuple[bytes, AsyncIterator[Bytes] | None]:
    """The body's beginning, and the rest where there is more than a small body."""
    first = bytearray()
    async for piece in pieces:
        first += piece
        if len(first) > SMALL_BYTES:
            return bytes(first), pieces
    return bytes(first), None


async def _chained(first: bytes, rest: AsyncIterator[Bytes] | None) -> AsyncIterator[Bytes]:
    for start in range(0, len(first), CHUNK_BYTES):
        yield first[start : start + CHUNK_BYTES]
    if rest is not None:
        async for run in rest:
            view = memoryview(run)
            for start in range(0, len(run), CHUNK_BYTES):
                yield view[start : start + CHUNK_BYTES]


async def _limited(pieces: AsyncIterator[Bytes], fault: Cut | Reset | TruncateChunked) -> AsyncIterator[Bytes]:
    left = fault.after_bytes
    async for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


async def _paced(pieces: AsyncIterator[Bytes], fault: Fault | None) -> AsyncIterator[Bytes]:
    sent = 0
    async for piece in pieces:
        if isinstance(fault, Slow):
            step = max(fault.bytes_per_s // _SLOW_STEPS_PER_S, 1)
            for start in range(0, len(piece), step):
                yield piece[start : start + step]
                await asyncio.sleep(step / fault.bytes_per_s)
        elif isinstance(fault, Stall) and sent <= fault.after_bytes < sent + len(piece):
            yield piece[: fault.after_bytes - sent]
            await asyncio.sleep(fault.seconds)
            yield piece[fault.after_bytes - sent :]
        else:
            yield piece
        sent += len(piece)


async def _be_silent(send: Send, answer: Answer, fault: Silent, transport: asyncio.Transport) -> None:
    if fault.headers:
        await send(_head(answer, None))
    await asyncio.sleep(fault.seconds)
    await _close(transport)


async def _flushed(transport: asyncio.Transport) -> None:
    # The transport tells its protocol, not us, when it has sent all.
    while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def _reset(transport: asyncio.Transport) -> None:
    await _flushed(transport)
    await asyncio.sleep(0.02)  # so that the client's kernel has the bytes before the reset
    linger = struct.pack("ii", 1, 0)
    with socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    await asyncio.sleep(0.05)


async def _close(transport: asyncio.Transport) -> None:
    await _flushed(transport)
    transport.close()
    await asyncio.sleep(0.05)
