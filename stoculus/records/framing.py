"""The Confluent wire format: a zero byte and the schema id (big-endian, 4 bytes) before the Avro body."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

HEADER_BYTES: Final = 5


def header(schema_id: int) -> bytes:
    """The five bytes before each body."""
    return b"\0" + schema_id.to_bytes(4, "big")


def schema_id(value: bytes) -> int:
    """The schema id of a framed value; raise ValueError where it has none."""
    if len(value) < HEADER_BYTES or value[0] != 0:
        raise ValueError(f"no Confluent header in {value[:HEADER_BYTES]!r}")
    return int.from_bytes(value[1:HEADER_BYTES], "big")


def body(value: bytes) -> bytes:
    """The Avro body of a framed value."""
    return value[HEADER_BYTES:]


def cut(values: Sequence[bytes]) -> tuple[list[tuple[bytes, int]], list[bytes]]:
    """Each header with how many values in a row have it, and the bodies."""
    runs = groupby(value[:HEADER_BYTES] for value in values)
    return [(header, len(list(run))) for header, run in runs], [body(value) for value in values]
