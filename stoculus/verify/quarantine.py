"""Whether what a topic leaves out as malformed stands in its quarantine."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from stoculus import topics
from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.reading.partition import PartitionReader
from stoculus.verify.findings import Fault


def check_quarantine(kafka: Kafka, receipt: Checkpoint, *, exists: bool) -> Iterator[Fault]:
    """The rows that the receipt counts must be there; those of failed attempts may be, too.

    Raise BrokerUnavailable.
    """
    held = _attempts(kafka, topics.quarantine(receipt.task_id)) if exists else Counter[str]()
    if held.total() < receipt.bad_rows:
        message = f"it holds {held.total():,} malformed rows, the receipt counts {receipt.bad_rows:,} left out."
        yield Fault("quarantine", message, records=receipt.bad_rows - held.total())
    if (of_the_last := held[str(receipt.attempt)]) > receipt.bad_rows:
        message = (
            f"it holds {of_the_last:,} malformed rows of the attempt that completed, the receipt counts "
            f"{receipt.bad_rows:,} left out."
        )
        yield Fault("quarantine", message, records=of_the_last - receipt.bad_rows)


def _attempts(kafka: Kafka, topic: str) -> Counter[str]:
    """How many rows each attempt has set apart."""
    with PartitionReader(kafka, topic) as reader:
        messages = chain.from_iterable(reader.read(reader.first))
        return Counter(_text(dict(message.headers() or []).get("attempt")) for message in messages)


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
