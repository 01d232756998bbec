"""The peak memory of a fresh service process that runs one task."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import httpx2

from local.probe import http_ok
from stoculus.kafka.checkpoints import read_checkpoint
from stoculus.reading.decoding import Decoder
from stoculus.reading.range import read_topic
from stoculus.tasks import OptionTask, StockTask
from tests.bench import source
from tests.bench.order import count_in_order
from tests.bench.report import Figure
from tests.bench.stack import Bench, free_ports

BUDGET_MB: Final = 32
CHAIN_BUDGET_MB: Final = 256
CHAIN_INTERVAL: Final = "10s"
RUNS: Final = {
    "rss-1m": ("LOAD", date(2024, 1, 2)),
    "rss-10m": ("LOAD10", date(2024, 1, 2)),
    "rss-10-days": ("LOAD", date(2024, 1, 16)),
}
"""Ticker and last day: a million quotes of a day, ten million of a day, and ten days of a million, fetched ahead."""

_START_S: Final = 60
_DEADLINE_S: Final = 900
_SPILLED: Final = re.compile(r"^stoculus_spilled_peak_bytes (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Service:
    """A service process that has completed a task."""

    pid: int
    port: int

    @property
    def peak_mib(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"no VmHWM of process {self.pid}")

    @property
    def spilled_bytes(self) -> float:
        metrics = httpx2.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).raise_for_status().text
        if found := _SPILLED.search(metrics):
            return float(found[1])
        raise RuntimeError("the service does not tell what it spilled")


def peak_rss_mib(bench: Bench, run: str, backtest_id: str) -> float:
    """MiB at the highest, with a memory budget of 32 MB."""
    with _completed(bench, "historical_stock", task_of(run, backtest_id), BUDGET_MB) as service:
        return service.peak_mib


def chain_day(bench: Bench, backtest_id: str) -> list[Figure]:
    """A day of 11.7 million quotes of a chain with a memory budget of 256 MB; its records are read and are in order."""
    task = source.chain_task(backtest_id, CHAIN_INTERVAL)
    with _completed(bench, "historical_option", task, CHAIN_BUDGET_MB) as service:
        figures = [
            Figure("rss_of_a_day_of_11.7m_option_quotes", "MiB", [service.peak_mib], limit=1024),
            Figure("spilled_of_that_day", "MB", [service.spilled_bytes / 1e6]),
        ]
        records = count_in_order(read_topic(bench.kafka, Decoder(bench.registry), task.task_id))
    if records != source.CHAIN_ROWS[CHAIN_INTERVAL]:
        raise RuntimeError(f"{task.task_id} holds {records} records")
    return figures


def task_of(run: str, backtest_id: str) -> StockTask:
    """The task of one of RUNS."""
    ticker, end = RUNS[run]
    return source.task(backtest_id, ticker, end=end)


def can_measure() -> bool:
    """Linux tells the peak of a process; others do not, or mix it with that of the process that started it."""
    return Path("/proc/self/status").exists()


@contextmanager
def _completed(bench: Bench, service: str, task: StockTask | OptionTask, budget_mb: int) -> Iterator[_Service]:
    """A process of the service after it has run the task, whose topic is deleted in the end."""
    (port,) = free_ports(1)
    folder = bench.settings.var_dir
    own = {f"{service}_port": port, "memory_budget_mb": budget_mb, "spill_dir": folder.resolve() / f"spill-{port}"}
    with (
        bench.topic(task.task_id),
        (folder / "log" / "memory.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"], env=bench.environment(**own), stdout=log, stderr=log
        ) as process,
    ):
        try:
            _until(lambda: http_ok(port, "/readyz"), _START_S)
            body = task.model_dump(mode="json", by_alias=True)
            httpx2.post(f"http://127.0.0.1:{port}/v1/tasks", json=body, trust_env=False).raise_for_status()
            _until(lambda: _is_completed(bench, task.task_id), _DEADLINE_S)
            yield _Service(process.pid, port)
        finally:
            process.terminate()


def _is_completed(bench: Bench, task_id: str) -> bool:
    checkpoint = read_checkpoint(bench.kafka, task_id, wait=False)
    if checkpoint is not None and checkpoint.failure is not None:
        raise RuntimeError(f"{task_id}: {checkpoint.failure.message}")
    return checkpoint is not None and checkpoint.state == "completed"


def _until(holds: Callable[[], bool], most_s: float) -> None:
    deadline = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {most_s} s")
        time.sleep(0.2)
