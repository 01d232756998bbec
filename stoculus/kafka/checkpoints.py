"""Where the checkpoints of a task stand, and how a new runner reads its own."""

import zlib

from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.kafka.admin import CONTROL_TOPICS
from stoculus.kafka.compacted import CompactedLog
from stoculus.topics import CHECKPOINTS


def partition_of(task_id: str) -> int:
    """The partition of `stoculus.checkpoints` that holds a task's checkpoints."""
    return zlib.crc32(task_id.encode()) % CONTROL_TOPICS[CHECKPOINTS][0]


def read_checkpoint(kafka: Kafka, task_id: str, *, wait: bool = True) -> Checkpoint | None:
    """The task's newest committed checkpoint.

    `wait` is for the task's runner, after `init_transactions`, when nobody else can write it any more: what stands
    behind a transaction that is open on the partition is waited for (15 s and the broker's scan at the most).
    Without it, what is readable at once.
    """
    log = CompactedLog(kafka, CHECKPOINTS, [partition_of(task_id)])
    try:
        records = log.read_past_ends() if wait else log.read_to_end()
        newest: bytes | None = None
        for key, value in records:
            if key == task_id:
                newest = value
        return Checkpoint.model_validate_json(newest) if newest else None
    finally:
        log.close()
