"""All checks of a backtest, topic by topic."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from stoculus import topics
from stoculus.checkpoints import Checkpoint
from stoculus.kafka import admin
from stoculus.reading.backtest import BacktestLog
from stoculus.reading.decoding import Decoder
from stoculus.reading.manifest import Manifest, TopicEntry
from stoculus.reading.partition import PartitionReader
from stoculus.records.rows import datetimes
from stoculus.settings import Connections
from stoculus.verify.against import compare_with_vendor
from stoculus.verify.findings import Fault, TopicReport
from stoculus.verify.quarantine import check_quarantine
from stoculus.verify.receipt import check_manifest, check_receipt
from stoculus.verify.requested import Requested, task_of
from stoculus.verify.rows import Rows
from stoculus.verify.scan import Scan
from stoculus.verify.source import Sources

Tell = Callable[[str, int], None]
"""Called with a topic and how many of its records have been looked at."""


class Verifier:
    """Checks topics of one backtest. `sources`: the vendor is asked again and compared row by row.

    The constructor raises NotFound for a backtest that is unknown or deleted; all raise BrokerUnavailable and
    RegistryUnavailable where one is away, and with `sources` the vendor errors.
    """

    def __init__(self, settings: Connections, backtest_id: str, sources: Sources | None = None) -> None:
        self._kafka = settings.kafka
        self._decoder = Decoder(settings.registry)
        self._sources = sources
        with BacktestLog(self._kafka, backtest_id) as log:
            self.manifest: Manifest = log.manifest
            self._checkpoints = log.checkpoints
        self._partitions = admin.partition_counts(admin.connect(self._kafka))

    def records(self, entries: Sequence[TopicEntry]) -> int:
        """How many records the checkpoints count of some topics."""
        return sum(each.records for entry in entries if (each := self._checkpoints.get(entry.topic)))

    def check(self, entry: TopicEntry, tell: Tell = lambda *_: None) -> TopicReport:
        """Look at every committed record of a topic, and at its receipt."""
        checkpoint = self._checkpoints.get(entry.topic)
        report = TopicReport(entry.topic, self._state(checkpoint))
        if checkpoint and checkpoint.failure and report.state == "failed":
            report.notes.append(f"{checkpoint.failure.message} {checkpoint.failure.remedy}".strip())
        if report.state != "completed" and self.manifest.state == "completed":
            report.faults.append(Fault("receipt", "the backtest is told to be completed, and there is no receipt."))
        if entry.topic not in self._partitions:
            if checkpoint:
                report.faults.append(Fault("topic", "the topic is gone."))
            return report
        if (partitions := self._partitions[entry.topic]) != 1:
            report.faults.append(
                Fault("topic", f"it has {partitions} partitions: the order is lost with more than one.")
            )
        self._look(entry, checkpoint if report.state == "completed" else None, report, tell)
        return report

    def _state(self, checkpoint: Checkpoint | None) -> str:
        """Of a topic; the manifest tells only what nobody is working on."""
        if checkpoint and checkpoint.state == "completed":
            return "completed"
        if checkpoint and checkpoint.state == "failed" and checkpoint.attempt >= self.manifest.attempt:
            return "failed"
        if self.manifest.state in ("paused", "cancelled"):
            return self.manifest.state
        return "running" if checkpoint else "queued"

    def _look(self, entry: TopicEntry, receipt: Checkpoint | None, report: TopicReport, tell: Tell) -> None:
        requested = Requested.of(self.manifest, entry)
        scan = Scan(requested, self._decoder)
        differences: list[Fault] = []
        with PartitionReader(self._kafka, entry.topic) as reader:
            rows = _told(scan.rows(reader), entry.topic, tell)
            if self._sources is not None and receipt is not None:
                task = task_of(self.manifest, entry)
                with self._sources.fetch(requested.schema.asset, task) as refetch:
                    differences = compare_with_vendor(rows, refetch, requested.schema.record, receipt)
            for _ in rows:
                pass
            if reader.first:
                message = f"the topic begins at offset {reader.first}, records before it are gone."
                report.faults.append(Fault("retention", message))
        report.records, report.days = scan.records, scan.days
        if scan.first_us is not None and scan.last_us is not None:
            report.first_ts_event, report.last_ts_event = datetimes(np.array([scan.first_us, scan.last_us]))
        report.faults += scan.spots.faults()
        if receipt is not None:
            report.empty_days = len(receipt.empty_days)
            report.faults += check_receipt(scan, receipt, requested)
            report.faults += self._beside(entry, receipt)
            report.notes += receipt.warnings
            if receipt.bad_rows:
                report.notes.append(f"{receipt.bad_rows:,} malformed rows of the vendor are left out, as was allowed.")
        report.faults += differences

    def _beside(self, entry: TopicEntry, receipt: Checkpoint) -> Iterator[Fault]:
        """What stands elsewhere about the topic."""
        has_quarantine = topics.quarantine(entry.topic) in self._partitions
        yield from check_quarantine(self._kafka, receipt, exists=has_quarantine)
        if self.manifest.state == "completed":
            yield from check_manifest(entry, receipt)


def _told(rows: Iterator[Rows], topic: str, tell: Tell) -> Iterator[Rows]:
    looked_at = 0
    for some in rows:
        looked_at += len(some)
        tell(topic, looked_at)
        yield some
