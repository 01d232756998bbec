"""Kafka's own load generator, from the jars that the local stack has fetched."""

import re
import subprocess
from typing import Final

from local.broker import LOGGING
from local.java import JAVA
from tests.bench.stack import Bench

_TOTAL: Final = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


def producer_performance(bench: Bench, records: int, record_bytes: int, topic: str) -> float:
    """Records a second, as `ProducerPerformance` says: lz4, acks=all, no transactions, its other defaults."""
    with bench.topic(topic):
        command = [
            JAVA, "-Xmx512m", *LOGGING, "-cp", f"{bench.artifacts.kafka}/*",
            "org.apache.kafka.tools.ProducerPerformance",
            "--topic", topic, "--num-records", str(records), "--record-size", str(record_bytes), "--throughput", "-1",
            "--producer-props", f"bootstrap.servers={bench.bootstrap}", "acks=all", "compression.type=lz4",
        ]  # fmt: skip
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    totals = _TOTAL.findall(run.stdout)
    if run.returncode or not totals or int(totals[-1][0]) != records:
        raise RuntimeError(f"ProducerPerformance: {run.stdout[-500:]}{run.stderr[-500:]}")
    return float(totals[-1][1])
