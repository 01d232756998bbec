"""On what it was measured."""

import os
import platform
import re
import subprocess
from pathlib import Path

import psutil

from local.java import JAVA
from stoculus.kafka.enqueue import describe


def machine(kafka_jars: Path, broker_pid: int) -> dict[str, str | int | float]:
    """CPU, memory, versions, the broker's heap and garbage collector, and which produce loop runs."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "os": platform.platform(),
        "python": platform.python_version(),
        "broker": f"Apache Kafka {_kafka_version(kafka_jars)}",
        "broker_jvm": _jvm(broker_pid),
        "produce_loop": describe(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def _jvm(pid: int) -> str:
    """The options that size the heap and choose the collector, and which one that is."""
    options = [one for one in psutil.Process(pid).cmdline() if one.startswith("-X")]
    command = [JAVA, *options, "-XX:+PrintFlagsFinal", "-version"]
    flags = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    collectors = re.findall(r"bool Use(G1|Serial|Parallel|Z|Shenandoah)GC += true", flags)
    return f"{' '.join(options)}, {', '.join(collectors)} garbage collector"


def _kafka_version(jars: Path) -> str:
    (core,) = jars.glob("kafka_2.13-*.jar")
    return core.stem.removeprefix("kafka_2.13-")
