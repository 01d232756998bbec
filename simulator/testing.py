"""For tests: a simulator in a process of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

from stoculus.errors import StackFailed

_READY = "Simulator ready: "
_START_S = 60
_END_S = 10


@contextmanager
def running_simulator(**settings: Any) -> Iterator[str]:
    """Start a simulator on a free port, give its base URL (without `/v3`), end it.

    Settings are those of `stoculus.settings.SimulatorSettings`, such as `sim_tier="free"` or `sim_recordings=path`.
    """
    chosen = {"sim_port": 0, "sim_ws_port": 0, **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
    environment |= {f"STOCULUS_{name.upper()}": str(value) for name, value in chosen.items() if value is not None}
    with TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "simulator"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            try:
                yield _base_url(process, errors)
            finally:
                _end(process)


def _base_url(process: subprocess.Popen[str], errors: IO[str]) -> str:
    watchdog = threading.Timer(_START_S, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        watchdog.cancel()
    if not line.startswith(_READY):
        process.wait()
        errors.seek(0)
        raise StackFailed(f"The simulator did not start: {errors.read()[-2000:]}")
    return line.removeprefix(_READY).strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
