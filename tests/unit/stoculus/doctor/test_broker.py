"""What stands where a broker should be."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.connections import Kafka
from stoculus.doctor.broker import _disk, _room, probe_broker
from stoculus.doctor.wire import RELEASES, LogDir, Wire, _Answer
from stoculus.errors import BrokerUnavailable

GB = 10**9


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Something that takes one connection, answers the first bytes, and closes; None: it never says anything."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            if answer is None:
                over.wait(30)
            else:
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


def test_nobody_there_is_an_error_with_a_remedy() -> None:
    with pytest.raises(BrokerUnavailable, match="nothing listens at") as caught:
        list(probe_broker(Kafka("127.0.0.1:1,nowhere.invalid:9092,none"), 100))

    assert "STOCULUS_KAFKA_BOOTSTRAP" in caught.value.remedy


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack(">i", -1), struct.pack(">i", 40) + b"x", None],
    ids=["nothing", "HTTP", "a negative length", "half an answer", "silence"],
)
def test_who_does_not_speak_kafka_is_no_broker(answer: bytes | None) -> None:
    with (
        listening(answer) as port,
        Wire("127.0.0.1", port, 0.2) as wire,
        pytest.raises(BrokerUnavailable, match="does not answer as a broker"),
    ):
        wire.release()


@given(st.binary(max_size=60))
def test_whatever_an_answer_holds_it_is_read_or_refused(data: bytes) -> None:
    for read in (_Answer.tags, _Answer.features, _Answer.text, _Answer.int64):
        try:
            read(_Answer(data))
        except BrokerUnavailable as error:
            assert "shorter than it should be" in error.message  # noqa: PT017


def test_releases_ascend() -> None:
    assert list(RELEASES) == sorted(RELEASES)


@pytest.mark.parametrize(("used", "level"), [(100, "ok"), (901, "warning"), (1000, "failed"), (1001, "failed")])
def test_room_for_partitions(used: int, level: str) -> None:
    assert _room(used, 1000).level == level


@pytest.mark.parametrize(
    ("folder", "level"),
    [
        (LogDir("/data", GB, 100 * GB, 50 * GB), "ok"),
        (LogDir("/data", GB, 100 * GB, GB // 2), "warning"),
        (LogDir("/data", GB, 100 * GB, 1000), "failed"),
        (LogDir("/data", GB, None, None), "note"),
    ],
)
def test_room_on_a_disk(folder: LogDir, level: str) -> None:
    assert _disk(folder).level == level
