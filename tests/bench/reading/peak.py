"""The peak memory of a fresh process that reads a backtest."""

import re
import subprocess
import sys
from pathlib import Path

import stoculus
from stoculus.settings import Connections
from tests.bench.stack import CHECKOUT, Bench


def peak_of_reading_mib(bench: Bench, backtest_id: str, records: int) -> float:
    """MiB at the highest of a fresh process that reads all records as batches."""
    where = [bench.bootstrap, bench.registry_url, backtest_id]
    command = [sys.executable, "-m", "tests.bench.reading.peak", *where]
    told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split()
    if int(told[0]) != records:
        raise RuntimeError(f"{backtest_id}: {records} records, {told[0]} read")
    return float(told[1])


def main() -> None:
    bootstrap, registry_url, backtest_id = sys.argv[1:]
    where = Connections(kafka_bootstrap=bootstrap, registry_url=registry_url)
    records = sum(batch.num_rows for batch in stoculus.read(backtest_id, settings=where))
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert peak is not None
    print(records, int(peak[1]) / 1024)


if __name__ == "__main__":
    main()
