"""What a pass over a topic has found, against the topic's receipt and the calendar."""

from collections.abc import Iterator

from stoculus.checkpoints import Checkpoint
from stoculus.reading.manifest import TopicEntry
from stoculus.verify.findings import Fault
from stoculus.verify.requested import Requested
from stoculus.verify.scan import Scan

_SOURCE_HINT = "`stoculus verify … --against-source` finds the record"


def check_receipt(scan: Scan, receipt: Checkpoint, requested: Requested) -> Iterator[Fault]:
    """What a complete topic lacks or has too much of; where counts agree, whether the hash does."""
    counts = list(_day_faults(scan, receipt))
    yield from counts
    yield from _holes(receipt, requested)
    if sum(receipt.days.values()) != receipt.records:
        message = f"its days have {sum(receipt.days.values()):,} records together, it counts {receipt.records:,}."
        yield Fault("receipt", message)
    if counts:
        return
    if scan.last_offset != receipt.last_offset:
        message = f"the last record stands at offset {scan.last_offset}, the receipt says {receipt.last_offset}."
        yield Fault("last offset", message, offset=scan.last_offset)
    if scan.hash != receipt.hash:
        message = f"{scan.hash[:16]}… is not the receipt's {receipt.hash[:16]}…: a record differs, or stands elsewhere"
        yield Fault("hash", f"{message}; {_SOURCE_HINT}.")


def check_manifest(entry: TopicEntry, receipt: Checkpoint) -> Iterator[Fault]:
    """Where the manifest of a completed backtest says something else than the receipt."""
    told = (entry.records, entry.last_offset, entry.record, entry.schema_name, entry.symbol)
    is_so = (receipt.records, receipt.last_offset, receipt.record, receipt.schema_name, receipt.symbol)
    names = ("records", "last_offset", "record", "schema", "symbol")
    for name, one, other in zip(names, told, is_so, strict=True):
        if one != other:
            yield Fault("manifest", f"its {name} is {one!r}, the receipt says {other!r}.")


def _day_faults(scan: Scan, receipt: Checkpoint) -> Iterator[Fault]:
    for day in sorted(scan.days.keys() | receipt.days.keys()):
        found, counted = scan.days.get(day, 0), receipt.days.get(day, 0)
        if not found:
            yield Fault("count", f"the day has no records, the receipt counts {counted:,}.", day, records=counted)
        elif found != counted:
            surplus = found - counted
            what = f"{abs(surplus):,} {'too many' if surplus > 0 else 'are missing'}"
            message = f"the day has {found:,} records, the receipt counts {counted:,}: {what}."
            yield Fault("count", message, day, records=abs(surplus))


def _holes(receipt: Checkpoint, requested: Requested) -> Iterator[Fault]:
    for day in sorted(requested.days - receipt.days.keys()):
        if not receipt.empty_days.get(day):
            yield Fault("hole", "the trading day has no records, and no reason is told.", day)
    for day in sorted(receipt.empty_days.keys() & receipt.days.keys()):
        yield Fault("receipt", "the day is told to be empty, and its records are counted.", day)
