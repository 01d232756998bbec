"""Columns of ticks to WebSocket text frames (stream.md 3, RFC 6455 5.2); no Python code runs per row.

A unit is what is sent as one: a frame, or the OHLC and the TRADE that belong together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.cells import Cell, Text, join, spell
from simulator.formats import Columns
from simulator.market import Ints
from simulator.tables import quote

# Arrow binary arrays; their stubs know less than the functions take.
Units = Any
_HEAD_BYTES: Final = 4
_HOLE: Final = "~" * _HEAD_BYTES
"""Where a frame's head goes when its length is known. All frames of ticks take the two-byte length: they are longer
than 125 bytes and far shorter than 65,536."""
_TEXT_FRAME, _SHORT, _TWO_BYTE_LENGTH = 0x81, 126, 126


def frame(text: str) -> bytes:
    """A text frame of less than 65,536 bytes."""
    payload = text.encode()
    if len(payload) < _SHORT:
        return bytes((_TEXT_FRAME, len(payload))) + payload
    return bytes((_TEXT_FRAME, _TWO_BYTE_LENGTH)) + len(payload).to_bytes(2) + payload


@dataclass(frozen=True, slots=True)
class Message:
    """A `header.type`, which in small letters is the key of the body, and the body's columns without `date`."""

    type: str
    columns: Columns


_TIME: Final = ("ms_of_day", Cell.INTEGER)
QUOTE: Final = Message("QUOTE", (_TIME, *quote(Cell.FLOAT)))
OHLC: Final = Message(
    "OHLC",
    (
        _TIME,
        *((name, Cell.FLOAT) for name in ("open", "high", "low", "close")),
        ("volume", Cell.INTEGER),
        ("count", Cell.INTEGER),
    ),
)
TRADE: Final = Message(
    "TRADE",
    (
        _TIME,
        ("sequence", Cell.INTEGER),
        ("size", Cell.INTEGER),
        ("condition", Cell.INTEGER),
        ("price", Cell.FLOAT),
        ("exchange", Cell.INTEGER),
    ),
)
MARKET_VALUE: Final = Message(
    "MARKET_VALUE", (_TIME, *((f"market_{name}", Cell.FLOAT) for name in ("bid", "ask", "price")))
)


def units(
    messages: Sequence[Message], contracts: Sequence[str], owner: Ints, columns: Sequence[Ints], day: date
) -> Units:
    """The frames of each row, one behind the other.

    `columns` are those of the messages, one message behind the other; `contracts` the JSON of contracts, `owner` which
    of them a row is about.
    """
    texts = []
    at = 0
    for message in messages:
        some = columns[at : at + len(message.columns)]
        texts.append(_texts(message, contracts, owner, some, day))
        at += len(message.columns)
    return _framed(texts)


def _texts(message: Message, contracts: Sequence[str], owner: Ints, columns: Sequence[Ints], day: date) -> Text:
    # The order of the keys of a header is not stable, so half of them come either way.
    headers = (f'"type":"{message.type}","status":"CONNECTED"', f'"status":"CONNECTED","type":"{message.type}"')
    heads: Any = pa.array(
        [
            f'{_HOLE}{{"header":{{{header}}},"contract":{each},"{message.type.lower()}":{{'
            for each in contracts
            for header in headers
        ]
    )
    parts: list[Any] = [heads.take(pa.array(owner * 2 + (np.asarray(columns[0]) & 1)))]
    for number, ((name, cell), values) in enumerate(zip(message.columns, columns, strict=True)):
        parts.append(pa.scalar(f'{"," if number else ""}"{name}":'))
        parts.append(spell(cell, values, json=True, quoted=False, trimmed=False))
    parts.append(pa.scalar(f',"date":{day:%Y%m%d}}}}}'))
    return join(parts, "")


def _framed(texts: Sequence[Text]) -> Units:
    joined = join(texts, "") if len(texts) > 1 else texts[0]
    rows = len(joined)
    _, offsets, letters = joined.buffers()
    measure: Any = pc.binary_length
    lengths: Ints = np.stack([measure(text).to_numpy() for text in texts], axis=1)
    before = np.cumsum(lengths, axis=1) - lengths
    starts = np.frombuffer(offsets, np.int32, rows)[:, None] + before
    written: Any = np.frombuffer(letters, np.uint8).copy()
    payload = lengths - _HEAD_BYTES
    for number, value in enumerate((_TEXT_FRAME, _TWO_BYTE_LENGTH, payload >> 8, payload & 255)):
        written[starts + number] = value
    return pa.Array.from_buffers(pa.binary(), rows, [None, offsets, pa.py_buffer(written)])
