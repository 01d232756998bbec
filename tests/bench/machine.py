"""On what it was measured."""

import os
import platform
import re
from pathlib import Path

import psutil

from stoculus.kafka.enqueue import describe


def machine(kafka_jars: Path) -> dict[str, str | int | float]:
    """CPU, memory, versions, and which produce loop runs."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "os": platform.platform(),
        "python": platform.python_version(),
        "broker": f"Apache Kafka {_kafka_version(kafka_jars)}",
        "produce_loop": describe(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def _kafka_version(jars: Path) -> str:
    (core,) = jars.glob("kafka_2.13-*.jar")
    return core.stem.removeprefix("kafka_2.13-")
