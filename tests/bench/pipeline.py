"""Our way from CSV bytes in memory to committed records, by the classes of production; only the HTTP is left out."""

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from services.historical_stock.job import StockJob
from services.kit.chunk import ChunkWriter
from services.kit.environment import ControlTopics, Environment, Headers
from services.kit.fetch import Lookahead, prefetch
from services.kit.job import Job
from services.kit.memory import MemoryBudget
from services.kit.names import NameList
from services.kit.prepare import Prepared
from services.kit.progress import Progress
from services.kit.writer import TransactionalWriter
from stoculus.checkpoints import Checkpoint
from stoculus.kafka import registry
from stoculus.kafka.ends import last_record_offset
from stoculus.kafka.enqueue import HAS_EXTENSION
from stoculus.records.framing import HEADER_BYTES
from stoculus.settings import ServiceSettings
from tests.bench import source
from tests.bench.stack import Bench
from theta_client.body import read_blocks
from theta_client.client import Block, HistoryRequest, Request, ThetaClient, Window

_NETWORK_BYTES: Final = 65_536


class MemoryClient(ThetaClient):
    """A Theta client whose answers are in memory, a body a day."""

    def __init__(self, bodies: Mapping[date, bytes]) -> None:
        super().__init__("http://127.0.0.1:1", "pro")
        self._bodies = bodies

    def symbols(self, aborted: threading.Event | None = None) -> frozenset[str]:
        return frozenset({source.TICKER})

    def history(
        self,
        request: Request,
        columns: pa.Schema,
        *,
        block_bytes: int,
        aborted: threading.Event,
        tolerate_cut: bool = False,
    ) -> Iterator[Block]:
        assert isinstance(request, HistoryRequest)
        body = self._bodies[request.window.start]
        pieces = (body[start : start + _NETWORK_BYTES] for start in range(0, len(body), _NETWORK_BYTES))
        return read_blocks(
            pieces,
            columns,
            str(request),
            block_bytes=block_bytes,
            readers=self._readers,
            parsers=self._parsers,
            tolerate_cut=tolerate_cut,
        )


def pipeline(bench: Bench, bodies: Mapping[date, bytes], name: str, *, c_loop: bool) -> float:
    """Records a second from the first byte parsed to the last commit. The producer has been opened before."""
    with written(bench, bodies, name, c_loop=c_loop) as (_, records, seconds):
        return records / seconds


@contextmanager
def written(
    bench: Bench, bodies: Mapping[date, bytes], name: str, *, c_loop: bool = HAS_EXTENSION
) -> Iterator[tuple[str, int, float]]:
    """A topic, how many records it has, and the seconds that they took."""
    client = MemoryClient(bodies)
    job: Job = StockJob(source.task(name), client, NameList("stock", client.symbols, _now))
    environment = _environment(bench, client)
    environment.control_topics.ensure()
    environment.headers.of(job.facts.record)
    topic = job.facts.task_id
    with client, bench.topic(topic):
        with TransactionalWriter(bench.kafka, topic, use_extension=c_loop) as writer:
            writer.open()
            progress = Progress(_first_checkpoint(job))
            started = time.perf_counter()
            _write_all(job, environment, writer, progress)
            seconds = time.perf_counter() - started
        _check(bench, topic, progress.checkpoint.records, source.count_rows(bodies))
        yield topic, progress.checkpoint.records, seconds


def record_bytes(body: bytes) -> int:
    """The mean size of a record of such a body: key, registry header and Avro."""
    client = MemoryClient({source.DAYS[0]: body})
    job = StockJob(source.task("none", end=source.DAYS[0]), client, NameList("stock", client.symbols, _now))
    first = next(job.read(job.facts.windows[0], threading.Event(), tolerate_cut=False))
    client.close()
    all_bodies = pc.sum(pc.binary_length(first.bodies)).as_py() or 0
    return len(first.keys) + HEADER_BYTES + round(all_bodies / len(first))


def _write_all(job: Job, environment: Environment, writer: TransactionalWriter, progress: Progress) -> None:
    """As services.kit.attempt does, without its start and its receipt."""
    stop = threading.Event()
    chunk_writer = ChunkWriter(job, environment, writer, progress)

    def read(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
        return job.read(window, aborted, tolerate_cut=False)

    with environment.lookahead:
        for chunk in prefetch(read, job.facts.windows, environment.lookahead, environment.budget, stop):
            chunk_writer.write(chunk, None, stop)


def _environment(bench: Bench, client: ThetaClient) -> Environment:
    settings = ServiceSettings()
    return Environment(
        kafka=bench.kafka,
        admin=bench.admin,
        control_topics=ControlTopics(bench.admin),
        headers=Headers(registry.connect(bench.registry), bench.registry_url),
        budget=MemoryBudget(settings.memory_budget_mb * 2**20),
        lookahead=Lookahead(lambda: client.tier.concurrency),
        now=_now,
        random=random.random,
    )


def _first_checkpoint(job: Job) -> Checkpoint:
    facts = job.facts
    return Checkpoint(
        task_id=facts.task_id,
        backtest_id=facts.backtest_id,
        record=facts.record.subject,
        schema=facts.schema_name,
        symbol=facts.symbol,
        state="running",
        attempt=1,
        chunks_total=len(facts.windows),
        updated_at=_now(),
    )


def _check(bench: Bench, topic: str, records: int, rows: int) -> None:
    """A bench that loses rows measures nothing. Each transaction's marker takes an offset."""
    last_offset = last_record_offset(bench.kafka, topic)
    if records != rows or last_offset is None or last_offset + 1 < records:
        raise RuntimeError(f"{topic}: {rows} rows, {records} records counted, last offset {last_offset}")


def _now() -> datetime:
    return datetime.now(UTC)
