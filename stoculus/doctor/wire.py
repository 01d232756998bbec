"""Two requests of Kafka's protocol that its Python client has not: which version a broker is, and its disks.

They know neither TLS nor login: where those are needed, nobody asks.
Layouts: https://kafka.apache.org/protocol (ApiVersions 3, DescribeLogDirs 4).
"""

import socket
import struct
from dataclasses import dataclass
from typing import Final, Self

from stoculus.errors import BrokerUnavailable

_API_VERSIONS: Final = 18
_DESCRIBE_LOG_DIRS: Final = 35
_CLIENT: Final = b"stoculus"
_NO_TAGS: Final = b"\0"
_FINALIZED_FEATURES: Final = 2
_MOST_BYTES: Final = 64 * 2**20

RELEASES: Final = {
    7: "3.3", 8: "3.4", 9: "3.5", 12: "3.6", 15: "3.7", 20: "3.8", 21: "3.9", 22: "4.0", 26: "4.1", 28: "4.2",
    30: "4.3",
}  # fmt: skip
"""The first level of the feature `metadata.version` of each release of Kafka."""


@dataclass(frozen=True, slots=True)
class LogDir:
    """A folder in which a broker keeps its logs. The disk's bytes are None where the broker does not tell them."""

    path: str
    log_bytes: int
    disk_bytes: int | None
    free_bytes: int | None


class Wire:
    """A connection to one broker. Every method raises BrokerUnavailable where it does not answer in time."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._name = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise self._away(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def release(self) -> str | None:
        """The release of Kafka whose metadata the cluster uses, such as `4.1`; None: the broker does not tell."""
        name = bytes([len(_CLIENT) + 1]) + _CLIENT
        answer = self._ask(_API_VERSIONS, 3, name + b"\x021" + _NO_TAGS, header_tags=False)
        if answer.int16():
            return None
        for _ in range(answer.count()):
            answer.skip(6)
            answer.tags()
        answer.skip(4)
        finalized = answer.tags().get(_FINALIZED_FEATURES)
        levels = finalized.features() if finalized else {}
        level = levels.get("metadata.version", 0)
        known = [release for first, release in RELEASES.items() if first <= level]
        return (known[-1] + (" or later" if level > max(RELEASES) else "")) if known else None

    def log_dirs(self) -> list[LogDir]:
        """The broker's folders of logs; none where it does not tell."""
        answer = self._ask(_DESCRIBE_LOG_DIRS, 4, b"\0" + _NO_TAGS, header_tags=True)
        answer.skip(4)
        if answer.int16():
            return []
        found = [self._log_dir(answer) for _ in range(answer.count())]
        return [each for each in found if each is not None]

    def _log_dir(self, answer: "_Answer") -> LogDir | None:
        error, path, log_bytes = answer.int16(), answer.text(), 0
        for _ in range(answer.count()):
            answer.text()
            for _ in range(answer.count()):
                answer.skip(4)
                log_bytes += answer.int64()
                answer.skip(9)
                answer.tags()
            answer.tags()
        disk, free = answer.int64(), answer.int64()
        answer.tags()
        return None if error else LogDir(path, log_bytes, disk if disk >= 0 else None, free if free >= 0 else None)

    def _ask(self, api: int, version: int, body: bytes, *, header_tags: bool) -> "_Answer":
        head = struct.pack(">hhih", api, version, 1, len(_CLIENT)) + _CLIENT + _NO_TAGS
        try:
            self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
            (size,) = struct.unpack(">i", self._receive(4))
            if not 0 < size < _MOST_BYTES:
                raise OSError(f"an answer of {size} bytes")
            answer = _Answer(self._receive(size))
        except OSError as error:
            raise self._away(error) from error
        answer.skip(4)
        if header_tags:
            answer.tags()
        return answer

    def _receive(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            more = self._socket.recv(size - len(taken))
            if not more:
                raise OSError("the connection was closed")
            taken += more
        return taken

    def _away(self, error: OSError) -> BrokerUnavailable:
        return BrokerUnavailable(f"{self._name} does not answer as a broker: {error}.", remedy="See the broker's log.")


class _Answer:
    """What is left to read of an answer. Lengths are variable, and one more than they say: 0 is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise BrokerUnavailable("A broker's answer is shorter than it should be.", remedy="See the broker's log.")
        self._at += size
        return part

    def int16(self) -> int:
        return int.from_bytes(self.skip(2), signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.skip(8), signed=True)

    def varint(self) -> int:
        value = shift = 0
        while True:
            [byte] = self.skip(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def count(self) -> int:
        return max(0, self.varint() - 1)

    def text(self) -> str:
        return self.skip(self.count()).decode("utf-8", "replace")

    def tags(self) -> "dict[int, _Answer]":
        """The tagged fields, by their numbers."""
        return {self.varint(): _Answer(self.skip(self.varint())) for _ in range(self.varint())}

    def features(self) -> dict[str, int]:
        """Feature levels by name, where these are tagged field 2 of ApiVersions."""
        found = {}
        for _ in range(self.count()):
            name = self.text()
            found[name] = self.int16()
            self.skip(2)
            self.tags()
        return found
