"""A child process in a group of its own, whose every line is told."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from theta_client.terminal.setup import Setup

_LONGEST_LINE: Final = 65_536
_LAST_LINES_S: Final = 0.5
_LOOK_S: Final = 0.02


class Child:
    """Starts in the constructor; raises OSError. `lock` is inherited; `tell` is called from a thread of its own."""

    def __init__(self, setup: Setup, lock: int, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._process = subprocess.Popen(
            setup.command,
            cwd=setup.folder,
            env=setup.child_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="terminal-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it lives. When it has ended, all that it said has been told, and what it started is ended too."""
        code = self._process.poll()
        if code is not None:
            self._signal(signal.SIGKILL)
            self._reader.join(_LAST_LINES_S)
        return code

    def stop(self, within_s: float) -> int:
        """End it gently, and by force when `within_s` are over; its exit code."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + within_s
        while self._group_lives() and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        self._reader.join(_LAST_LINES_S)
        return code

    def _group_lives(self) -> bool:
        self._process.poll()
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _signal(self, way: signal.Signals) -> None:
        """To the whole group: the launcher runs the real program as its child."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, way)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as lines:
            while line := lines.readline(_LONGEST_LINE):
                self._tell(line.decode("utf-8", "replace").rstrip())
