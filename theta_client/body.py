"""A body as it arrives, to blocks: is it a table at all, where it is cut, and what to do with an end inside a row."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import chain
from typing import Any

import pyarrow as pa

from stoculus.errors import NoData, VendorAnswerMalformed, VendorBodyCut
from theta_client.protocol import EVIDENCE_BYTES, plain_text
from theta_client.table import BadRow, Block, Table, count_lines

_LONGEST_LINE_BYTES = 65536
_PARSED_AHEAD = 2


def read_blocks(
    chunks: Iterable[bytes],
    columns: pa.Schema,
    request: str,
    *,
    block_bytes: int,
    readers: Executor,
    parsers: Executor,
    first_line: int = 2,
    tolerate_cut: bool = False,
) -> Iterator[Block]:
    """The blocks of a CSV body: whole lines of at most `block_bytes`, the same however the network cut the body.

    While one is used, `readers` receive and `parsers` parse the next. `first_line` is the number of the first line
    after the header. Raises VendorAnswerMalformed or NoData for a body that is no table, NoData for a header alone,
    VendorBodyCut after the whole lines of a body that ends inside one (`tolerate_cut`: yields that as a bad row).
    """
    chunks = iter(chunks)
    header, rest = _first_line(chunks, request)
    table = Table(_checked_names(header, rest, columns, request), columns, request)
    empty = True
    for block in _parsed(_cut(chain([rest], chunks), block_bytes, request), table, readers, parsers, first_line):
        if not block.data.endswith(b"\n") and not tolerate_cut:
            raise VendorBodyCut(
                f"The answer to {request} ends inside line {block.first_line}.",
                remedy="It is asked for again; a terminal that always does so needs a restart.",
                detail=block.data[:EVIDENCE_BYTES].decode("utf-8", "replace"),
            )
        if block.batch.num_rows or block.bad_rows:
            empty = False
            yield block
    if empty:
        raise NoData(f"Theta Terminal answered {request} with a header and no row.")


def _parsed(pieces: Iterator[bytes], table: Table, readers: Executor, parsers: Executor, line: int) -> Iterator[Block]:
    """The pieces as blocks, in order, each as soon as it is parsed; while they are used the next arrive."""
    ahead: deque[Future[Block]] = deque()
    coming: Future[bytes | None] | None = readers.submit(next, pieces, None)
    try:
        while coming is not None or ahead:
            if coming is not None and len(ahead) < _PARSED_AHEAD:
                next_ones: list[Future[Any]] = [coming, *ahead]
                wait(next_ones[:2], return_when=FIRST_COMPLETED)
                if coming.done() and (not ahead or coming.exception() is None):
                    piece = coming.result()
                    coming = None
                    if piece is not None:
                        coming = readers.submit(next, pieces, None)
                        ahead.append(parsers.submit(_block, piece, table, line))
                        line += count_lines(piece)
                    continue
            yield ahead.popleft().result()
    finally:
        if coming is not None:
            # Before whoever ends here closes the connection.
            wait([coming])


def _block(piece: bytes, table: Table, line: int) -> Block:
    if piece.endswith(b"\n"):
        return table.block(piece, line)
    cut = BadRow(line, piece, "the body ends inside a row")
    return Block(table.block(b"", line).batch, pa.array([], pa.int64()), [cut], piece, line)


def _first_line(chunks: Iterator[bytes], request: str) -> tuple[bytes, bytes]:
    """The line with its end, or all there is of a body without one; and what arrived behind it."""
    start = b""
    for chunk in chunks:
        start += chunk
        if b"\n" in chunk:
            break
        if len(start) > _LONGEST_LINE_BYTES:
            raise _malformed("a first line without end", start, request)
    line, end, rest = start.partition(b"\n")
    return line + end, rest


def _checked_names(header: bytes, rest: bytes, columns: pa.Schema, request: str) -> list[str]:
    start = header + rest
    if not start.strip():
        raise _malformed("an empty body", start, request)
    if b"no data found" in start[:EVIDENCE_BYTES].lower():
        raise NoData(f"Theta Terminal answered {request} with 200 and: {plain_text(start[:EVIDENCE_BYTES])}")
    text = header.decode("utf-8-sig", "replace").strip()
    names = [name.strip().strip('"') for name in text.split(",")]
    if not set(names) & set(columns.names):
        raise _malformed("HTML" if text.startswith("<") else "a text that is no table", start, request)
    if not header.endswith(b"\n"):
        raise VendorBodyCut(f"The answer to {request} ends inside its header.", detail=text)
    return names


def _malformed(what: str, start: bytes, request: str) -> VendorAnswerMalformed:
    return VendorAnswerMalformed(
        f"Theta Terminal answered {request} with 200 and {what}: {plain_text(start[:EVIDENCE_BYTES])}",
        remedy="Look at the terminal's log; restart it if this stays.",
        detail=start[:EVIDENCE_BYTES].decode("utf-8", "replace"),
    )


def _cut(chunks: Iterable[bytes], block_bytes: int, request: str) -> Iterator[bytes]:
    """Pieces of whole lines (a line longer than `block_bytes` is a piece of its own), then what follows the last."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= block_bytes:
            end = buffer.rfind(b"\n", 0, block_bytes) + 1 or buffer.find(b"\n", block_bytes) + 1
            if not end and len(buffer) > block_bytes + _LONGEST_LINE_BYTES:
                raise _malformed("a line without end", bytes(buffer[:EVIDENCE_BYTES]), request)
            if not end:
                break
            yield _take(buffer, end)
    end = buffer.rfind(b"\n") + 1
    if end:
        yield _take(buffer, end)
    if buffer:
        yield bytes(buffer)


def _take(buffer: bytearray, end: int) -> bytes:
    with memoryview(buffer) as view:
        taken = bytes(view[:end])
    del buffer[:end]
    return taken
