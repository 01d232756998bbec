"""Writes chunks: block by block, each in one transaction with the checkpoint that counts it."""

import threading
from datetime import date
from typing import Final

from services.kit.environment import Environment
from services.kit.fetch import ChunkFetch
from services.kit.job import Job
from services.kit.prepare import Prepared
from services.kit.progress import Progress
from services.kit.writer import QuarantinedRow, Rows, TransactionalWriter
from stoculus.checkpoints import Chunk
from stoculus.errors import NoData, SourceChanged, TooManyBadRows
from stoculus.kafka.admin import DATA_CONFIG, create_topics
from stoculus.topics import quarantine
from theta_client.client import Window

_SHOWN_BYTES: Final = 120
_NOTHING: Final = Chunk(start=date.min, end=date.min)


class ChunkWriter:
    """Writes the chunks of one attempt, in order. `evidence` holds the malformed rows that made a chunk fail."""

    def __init__(self, job: Job, environment: Environment, writer: TransactionalWriter, progress: Progress) -> None:
        self._job = job
        self._facts = job.facts
        self._env = environment
        self._writer = writer
        self._progress = progress
        self.evidence: list[QuarantinedRow] = []

    def write(self, chunk: ChunkFetch, resumed: Chunk | None, stop: threading.Event) -> None:
        """Write the rows of a chunk behind those that `resumed` counts, and close it unless stopped."""
        self._progress.begin_chunk(chunk.window)
        empty_reason = "the vendor has no rows for the day"
        written = resumed or _NOTHING
        try:
            for block in chunk.blocks(stop):
                rows = self._prove(block, written)
                if rows is not None:
                    self._write_block(rows, written, chunk.window)
        except NoData as error:
            empty_reason = self._job.explain_no_data(error)
        if stop.is_set():
            return
        if self._open_chunk().records < written.records:
            raise self._source_changed(written)
        self._progress.end_chunk(chunk.window, empty_reason)
        if self._progress.checkpoint.chunks_done < len(self._facts.windows):
            self._commit(None, [], chunk.window)

    def _prove(self, block: Prepared, written: Chunk) -> Prepared | None:
        """The rows of the block that are not on the topic yet. What is there must hash to what the checkpoint says."""
        missing = written.records - self._open_chunk().records
        if missing <= 0:
            return block
        if len(block) < missing:
            self._progress.advance(block)
            return None
        known, rest = block.split(missing)
        self._progress.advance(known)
        if self._open_chunk().digest != written.digest:
            raise self._source_changed(written)
        return rest

    def _write_block(self, block: Prepared, written: Chunk, window: Window) -> None:
        in_quarantine = max(0, written.bad_rows - self._open_chunk().bad_rows)
        self._progress.advance(block)
        bad = [
            quarantined(row.raw, row.cause, row.line, window, self._facts.attempt)
            for row in block.bad_rows[in_quarantine:]
        ]
        if self._progress.checkpoint.bad_rows > self._facts.max_bad_rows:
            self.evidence = bad
            raise self._too_many(block, window)
        if bad:
            create_topics(self._env.admin, [quarantine(self._facts.task_id)], DATA_CONFIG)
        header = self._env.headers.of(self._facts.record)
        rows = Rows(self._facts.task_id, header, block.keys, block.ts_event, block.bodies)
        self._commit(rows if len(block) else None, bad, window)

    def _commit(self, rows: Rows | None, bad: list[QuarantinedRow], window: Window) -> None:
        changes = {"updated_at": self._env.now(), "rows_expected": self._progress.rows_expected(window)}
        with self._env.meters.transaction(self._facts.schema_name, rows, bad):
            self._writer.commit(rows, bad, self._progress.checkpoint.model_copy(update=changes))

    def _open_chunk(self) -> Chunk:
        return self._progress.checkpoint.chunk or _NOTHING

    def _too_many(self, block: Prepared, window: Window) -> TooManyBadRows:
        first = block.bad_rows[0]
        return TooManyBadRows(
            f"{self._progress.checkpoint.bad_rows} malformed rows in {self._facts.task_id}, "
            f"{self._facts.max_bad_rows} are tolerated. {window.start}, line {first.line}: {first.cause}: "
            f"{first.raw[:_SHOWN_BYTES]!r}.",
            remedy=f"Look at topic {quarantine(self._facts.task_id)}, then retry with max_bad_rows.",
        )

    def _source_changed(self, written: Chunk) -> SourceChanged:
        return SourceChanged(
            f"The vendor has revised rows of {written.start} to {written.end} while {self._facts.task_id} was half "
            f"written: its {written.records} records of that range are not what the vendor sends now.",
            remedy="Submit a new backtest; this topic keeps the old rows.",
        )


def quarantined(raw: bytes, cause: str, line: int, window: Window, attempt: int) -> QuarantinedRow:
    """A malformed row with what one must know to find it again."""
    headers: dict[str, str | bytes | None] = {
        "cause": cause,
        "line": str(line),
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "attempt": str(attempt),
    }
    return QuarantinedRow(raw, headers)
