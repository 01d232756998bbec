"""A plain consumer in a process of its own: when was each record received by the service, and when could it be read?"""

import gc
import multiprocessing
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

_START_S: Final = 30
_POLL_S: Final = 0.1
_FETCH_WAIT_MS: Final = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """Live records in the order in which they were read. Microseconds of the wall clock."""

    ingest_us: NDArray[np.int64]
    read_us: NDArray[np.int64]

    def latency_ms(self, from_us: int, until_us: int) -> NDArray[np.float64]:
        """Of the records that the service received within a time."""
        within = (self.ingest_us >= from_us) & (self.ingest_us < until_us)
        if not within.any():
            raise RuntimeError("no record was received in that time")
        latency_ms: NDArray[np.float64] = (self.read_us[within] - self.ingest_us[within]) / 1000
        return latency_ms


class Reader:
    """Reads all topics from their beginning until `stop`. Not assigned by a group: a live topic has one partition."""

    def __init__(self, bootstrap: str, topics: Sequence[str], path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._path = path
        self._count: Synchronized[int] = context.Value("q", -1)
        self._healed: Synchronized[int] = context.Value("q", 0)
        self._stop = context.Event()
        arguments = (bootstrap, tuple(topics), path, self._count, self._healed, self._stop)
        self._process = context.Process(target=_consume, args=arguments, daemon=True)
        self._process.start()
        deadline = time.monotonic() + _START_S
        while self._count.value < 0:
            if time.monotonic() > deadline or not self._process.is_alive():
                raise RuntimeError("the consumer does not start")
            time.sleep(0.01)

    @property
    def records(self) -> int:
        """How many it has read, those of healed gaps too."""
        return self._count.value

    @property
    def healed(self) -> int:
        """How many of them closed a gap."""
        return self._healed.value

    def stop(self) -> Seen:
        """End; what was seen."""
        self.close()
        return Seen(*np.load(self._path))

    def close(self) -> None:
        self._stop.set()
        self._process.join()


def _consume(bootstrap: str, topics: tuple[str, ...], path: Path, count: Any, healed: Any, stop: Any) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": _FETCH_WAIT_MS,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])
    ingest_us, read_us = array("q"), array("q")
    gc.freeze()
    gc.disable()
    count, healed = count.get_obj(), healed.get_obj()
    count.value = 0
    while not stop.is_set():
        until_s = time.monotonic() + _POLL_S
        while time.monotonic() < until_s:
            message = consumer.poll(_POLL_S)
            now_us = time.time_ns() // 1000
            if message is None:
                continue
            if message.error():
                raise RuntimeError(message.error())
            headers: Any = message.headers()
            facts = dict(headers)
            count.value += 1
            if facts["origin"] == b"live":
                ingest_us.append(int(facts["ingest_us"]))
                read_us.append(now_us)
            else:
                healed.value += 1
    np.save(path, np.array([ingest_us, read_us]))
    consumer.close()
