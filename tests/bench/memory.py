"""The peak memory of a fresh service process that runs one task."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import httpx2

from local.probe import http_ok
from stoculus.kafka.checkpoints import read_checkpoint
from stoculus.tasks import StockTask
from tests.bench import source
from tests.bench.stack import Bench, free_ports

BUDGET_MB: Final = 32
RUNS: Final = {
    "rss-1m": ("LOAD", date(2024, 1, 2)),
    "rss-10m": ("LOAD10", date(2024, 1, 2)),
    "rss-10-days": ("LOAD", date(2024, 1, 16)),
}
"""Ticker and last day: a million quotes of a day, ten million of a day, and ten days of a million, fetched ahead."""

_START_S: Final = 60
_DEADLINE_S: Final = 600


def peak_rss_mib(bench: Bench, run: str, backtest_id: str) -> float:
    """MiB at the highest, with a memory budget of 32 MB."""
    task = task_of(run, backtest_id)
    (port,) = free_ports(1)
    environment = bench.environment(historical_stock_port=port, memory_budget_mb=BUDGET_MB)
    command = [sys.executable, "-m", "services.historical_stock"]
    with (
        bench.topic(task.task_id),
        (bench.settings.var_dir / "log" / "memory.log").open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            _until(lambda: http_ok(port, "/readyz"), _START_S)
            body = task.model_dump(mode="json", by_alias=True)
            httpx2.post(f"http://127.0.0.1:{port}/v1/tasks", json=body, trust_env=False).raise_for_status()
            _until(lambda: _is_completed(bench, task.task_id), _DEADLINE_S)
            return _peak_kib(process.pid) / 1024
        finally:
            process.terminate()


def task_of(run: str, backtest_id: str) -> StockTask:
    """The task of one of RUNS."""
    ticker, end = RUNS[run]
    return source.task(backtest_id, ticker, end=end)


def can_measure() -> bool:
    """Linux tells the peak of a process; others do not, or mix it with that of the process that started it."""
    return Path("/proc/self/status").exists()


def _peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"no VmHWM of process {pid}")


def _is_completed(bench: Bench, task_id: str) -> bool:
    checkpoint = read_checkpoint(bench.bootstrap, task_id, wait=False)
    if checkpoint is not None and checkpoint.failure is not None:
        raise RuntimeError(f"{task_id}: {checkpoint.failure.message}")
    return checkpoint is not None and checkpoint.state == "completed"


def _until(holds: Callable[[], bool], most_s: float) -> None:
    deadline = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {most_s} s")
        time.sleep(0.2)
