"""A topic against the vendor: each difference as a fault, with the record as it is on either side."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from stoculus.checkpoints import Checkpoint
from stoculus.records import codec
from stoculus.records.catalog import RecordType
from stoculus.verify.compare import Comparison, Difference, Kind
from stoculus.verify.findings import Fault
from stoculus.verify.rows import Row, Rows
from stoculus.verify.source import Refetch

MOST_TOLD: Final = 100
"""Differences that are told one by one; of more only how many there are."""

_TOLD: Final[dict[Kind, str]] = {
    "missing": "the vendor has it, the topic has not",
    "surplus": "the topic has it, the vendor has not",
    "doubled": "it stands on the topic once more than the vendor has it",
    "altered": "it is another at the vendor",
    "swapped": "it stands in another place than at the vendor",
}


def compare_with_vendor(
    topic: Iterator[Rows], refetch: Refetch, record: RecordType, receipt: Checkpoint
) -> list[Fault]:
    """Read both sides to their ends and say how they differ. Raise what reading either raises."""
    comparison = Comparison()
    comparison.run(topic, refetch.rows())
    faults = [_fault(one, record) for one in comparison.differences[:MOST_TOLD]]
    if rest := comparison.counts.total() - sum(one.records or 0 for one in faults):
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in comparison.counts.items())
        faults.append(Fault("source", f"{rest:,} more records differ; in all {kinds}.", records=rest))
    for name, counted, now in (
        ("empty", receipt.empty_bars, refetch.empty_rows),
        ("malformed", receipt.bad_rows, refetch.bad_rows),
    ):
        if counted != now:
            faults.append(Fault("source", f"the receipt counts {counted:,} {name} rows, the vendor sends {now:,}."))
    return faults


def _fault(difference: Difference, record: RecordType) -> Fault:
    topic, vendor = _decoded(difference.topic, record), _decoded(difference.vendor, record)
    what = _TOLD[difference.kind]
    if difference.kind == "altered" and topic and vendor:
        names = [name for name in topic if topic[name] != vendor[name]]
        what = "; ".join(f"{name} is {_text(topic[name])}, at the vendor {_text(vendor[name])}" for name in names)
    if difference.records > 1:
        what = f"{difference.records:,} records, of the first: {what}"
    return Fault(
        difference.kind, f"{what}.", difference.day, difference.offset, difference.records, topic=topic, vendor=vendor
    )


def _decoded(row: Row | None, record: RecordType) -> dict[str, Any] | None:
    if row is None:
        return None
    try:
        [fields] = codec.decode([row.body], record).to_pylist()
    except (ValueError, EOFError, OverflowError):
        return {"body": row.body.hex()}
    return dict(fields)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
