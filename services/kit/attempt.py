"""One attempt at a task. There is one way to recover from anything: make another attempt.

It opens a transactional producer (which fences and aborts whatever was before), reads the checkpoint, rewinds to the
start of the chunk that is half written, proves by its hash that the vendor still sends what is written, and goes on
behind it.
"""

import threading
from collections.abc import Generator
from functools import partial

from services.kit.chunk import ChunkWriter, quarantined
from services.kit.environment import Environment
from services.kit.fetch import ChunkFetch, prefetch
from services.kit.job import Job
from services.kit.progress import Progress, rewind
from services.kit.writer import QuarantinedRow, TransactionalWriter
from stoculus.checkpoints import Checkpoint, Failure
from stoculus.errors import ColumnsMissing, StoculusError, TooManyBadRows, TopicLost, VendorAnswerMalformed
from stoculus.kafka.admin import DATA_CONFIG, create_topics
from stoculus.kafka.checkpoints import read_checkpoint
from stoculus.kafka.ends import last_record_offset, topic_ends
from stoculus.topics import quarantine


class Attempt:
    """Runs once. If it failed for good, `record_failure` ends the task."""

    def __init__(self, job: Job, environment: Environment, *, tolerate_cut: bool) -> None:
        self._job = job
        self._facts = job.facts
        self._env = environment
        self._read = partial(job.read, tolerate_cut=tolerate_cut)
        self._progress: Progress | None = None
        self._evidence: list[QuarantinedRow] = []

    @property
    def records(self) -> int:
        """How far the task has come."""
        return self._progress.checkpoint.records if self._progress else 0

    def run(self, stop: threading.Event) -> None:
        """Go on from the checkpoint to the receipt, or until stopped. Raises what hinders it."""
        facts, env = self._facts, self._env
        env.control_topics.ensure()
        hint = read_checkpoint(env.kafka, facts.task_id, wait=False)
        if _is_over(hint, facts.attempt):
            return
        # Opening the producer takes half a second; meanwhile the vendor works on the first chunks.
        chunks = self._chunks(hint, stop)
        try:
            with TransactionalWriter(env.kafka, facts.task_id) as writer:
                first = next(chunks, None)
                writer.open()
                checkpoint = read_checkpoint(env.kafka, facts.task_id)
                if _is_over(checkpoint, facts.attempt):
                    return
                if _chunks_done(checkpoint) != _chunks_done(hint):
                    chunks.close()
                    chunks = self._chunks(checkpoint, stop)
                    first = next(chunks, None)
                self._check_topic(checkpoint)
                self._write(first, chunks, checkpoint, writer, stop)
        finally:
            chunks.close()

    def record_failure(self, error: StoculusError) -> None:
        """End the task as failed: what is committed stays, the rows at fault go to the quarantine.

        A higher attempt goes on from there.
        """
        facts, env = self._facts, self._env
        env.control_topics.ensure()
        with TransactionalWriter(env.kafka, facts.task_id) as writer:
            writer.open()
            checkpoint = read_checkpoint(env.kafka, facts.task_id)
            if _is_over(checkpoint, facts.attempt):
                return
            if self._evidence:
                create_topics(env.admin, [quarantine(facts.task_id)], DATA_CONFIG)
            changes = {
                "state": "failed",
                "attempt": facts.attempt,
                "failure": Failure(code=error.code, message=error.message, remedy=error.remedy),
                "updated_at": env.now(),
            }
            failed = (checkpoint or self._new_checkpoint()).model_copy(update=changes)
            with env.meters.transaction(facts.schema_name, None, self._evidence):
                writer.commit(None, self._evidence, failed)

    def _chunks(self, checkpoint: Checkpoint | None, stop: threading.Event) -> Generator[ChunkFetch]:
        windows = self._facts.windows[_chunks_done(checkpoint) :]
        return prefetch(self._read, windows, self._env.lookahead, self._env.budget, stop)

    def _check_topic(self, checkpoint: Checkpoint | None) -> None:
        """Create the topic for a task that begins; refuse to go on where written records are gone."""
        facts = self._facts
        if checkpoint is None or not checkpoint.records:
            create_topics(self._env.admin, [facts.task_id], DATA_CONFIG)
            return
        ends = topic_ends(self._env.kafka, facts.task_id)
        if ends.low > 0 or ends.high < checkpoint.records:
            raise TopicLost(
                f"Topic {facts.task_id} has lost records: {checkpoint.records} were written, "
                f"offsets {ends.low} to {ends.high} are left.",
                remedy="Delete the backtest and submit a new one; look at the broker's retention.",
            )

    def _write(
        self,
        first: ChunkFetch | None,
        chunks: Generator[ChunkFetch],
        checkpoint: Checkpoint | None,
        writer: TransactionalWriter,
        stop: threading.Event,
    ) -> None:
        progress = self._progress = self._begin(checkpoint)
        resumed = checkpoint.chunk if checkpoint else None
        chunk_writer = ChunkWriter(self._job, self._env, writer, progress)
        chunk = first
        while chunk is not None and not stop.is_set():
            try:
                chunk_writer.write(chunk, resumed, stop)
            except (VendorAnswerMalformed, ColumnsMissing) as error:
                answer = error.detail.encode()
                self._evidence = [quarantined(answer, error.message, 1, chunk.window, self._facts.attempt)]
                raise
            except TooManyBadRows:
                self._evidence = chunk_writer.evidence
                raise
            chunk, resumed = next(chunks, None), None
        if not stop.is_set():
            self._complete(progress, writer)

    def _begin(self, checkpoint: Checkpoint | None) -> Progress:
        facts = self._facts
        changes = {
            "state": "running",
            "attempt": facts.attempt,
            "failure": None,
            "chunks_total": len(facts.windows),
            "request": facts.request,
        }
        start = (rewind(checkpoint) if checkpoint else self._new_checkpoint()).model_copy(update=changes)
        return Progress(start)

    def _new_checkpoint(self) -> Checkpoint:
        facts = self._facts
        return Checkpoint(
            task_id=facts.task_id,
            backtest_id=facts.backtest_id,
            record=facts.record.subject,
            schema=facts.schema_name,
            symbol=facts.symbol,
            state="running",
            attempt=facts.attempt,
            updated_at=self._env.now(),
        )

    def _complete(self, progress: Progress, writer: TransactionalWriter) -> None:
        """Write the receipt."""
        done = progress.checkpoint
        warnings = [] if done.records else ["The topic is empty: the vendor has nothing for the whole range."]
        changes = {
            "state": "completed",
            "last_offset": last_record_offset(self._env.kafka, self._facts.task_id),
            "warnings": warnings,
            "rows_expected": done.records,
            "updated_at": self._env.now(),
        }
        with self._env.meters.transaction(self._facts.schema_name, None, []):
            writer.commit(None, [], done.model_copy(update=changes))


def _is_over(checkpoint: Checkpoint | None, attempt: int) -> bool:
    if checkpoint is None:
        return False
    return checkpoint.state == "completed" or (checkpoint.state == "failed" and checkpoint.attempt >= attempt)


def _chunks_done(checkpoint: Checkpoint | None) -> int:
    return checkpoint.chunks_done if checkpoint else 0
