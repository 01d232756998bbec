"""For tests: a simulator in a process of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_READY = "Simulator ready: "
_START_S = 30


@contextmanager
def running_simulator(**settings: Any) -> Iterator[str]:
    """Start a simulator on a free port, give its base URL (without `/v3`), end it.

    Settings are those of `stoculus.settings.SimulatorSettings`, such as `sim_tier="free"` or `sim_recordings=path`.
    """
    chosen = {"sim_port": 0, **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
    environment |= {f"STOCULUS_{name.upper()}": str(value) for name, value in chosen.items() if value is not None}
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield _base_url(process)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _base_url(process: subprocess.Popen[str]) -> str:
    watchdog = threading.Timer(_START_S, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        watchdog.cancel()
    if not line.startswith(_READY):
        _, errors = process.communicate()
        raise RuntimeError(f"The simulator did not start: {errors[-2000:]}")
    return line.removeprefix(_READY).strip()
