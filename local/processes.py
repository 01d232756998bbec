"""A small supervisor: starts programs, waits until they are ready, knows its own by pid file, stops them."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.ports import require_free
from stoculus.errors import StackFailed


@dataclass(frozen=True, slots=True)
class Program:
    """What is started: its command, its whole environment, the ports it listens on (the main one first).

    `prepare` runs before each start; `ready` asks the program itself whether it does its work.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    ready: Callable[[], bool]
    prepare: Callable[[], None] = lambda: None

    @property
    def fingerprint(self) -> str:
        """Changes when the program would have to be restarted to follow its settings."""
        settings = sorted(item for item in self.environment.items() if item[0].startswith("STOCULUS_"))
        return hashlib.sha256(json.dumps([self.command, settings, self.ports]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Record:
    """What a pid file says. The command tells our process from a later one with the same pid."""

    pid: int
    command: list[str]
    fingerprint: str

    def process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and process.cmdline()[1:] == self.command[1:]
        except psutil.Error:
            return None
        return process if alive else None


class Supervisor:
    """Runs programs with pid files in `<var>/run` and logs in `<var>/log`. They outlive this process.

    A program that has not ended `stop_s` seconds after SIGTERM gets SIGKILL.
    """

    def __init__(self, var: Path, stop_s: float = 15) -> None:
        self._stop_s = stop_s
        self._run = var / "run"
        self._log = var / "log"
        self._run.mkdir(parents=True, exist_ok=True)
        self._log.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        """Where the program's output goes, all starts in one file."""
        return self._log / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The program's pid while it lives."""
        process = self._process(name)
        return process.pid if process else None

    def start(self, program: Program, timeout_s: float = 120) -> bool:
        """Return when the program is ready; False when it was already running with the same settings.

        Raises StackFailed when a port is taken, and when the program ends or is not ready in time.
        """
        record = self._read(program.name)
        if record and record.process() and record.fingerprint != program.fingerprint:
            self.stop(program.name)
        started = self.pid(program.name) is None
        if started:
            for port in program.ports:
                self._await_free(port, program.name)
            program.prepare()
            self._spawn(program)
        self._await_ready(program, timeout_s)
        return started

    def stop(self, name: str) -> bool:
        """End the program by SIGTERM, and by SIGKILL if that is not enough; False when it was not running."""
        process = self._process(name)
        if process:
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                process.terminate()
            if not _ended(process, self._stop_s):
                self.kill(name)
        self._pid_file(name).unlink(missing_ok=True)
        return process is not None

    def kill(self, name: str) -> None:
        """`kill -9`; the pid file stays, as after a crash."""
        process = self._process(name)
        if process:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            if not _ended(process, self._stop_s):
                raise StackFailed(f"{name} does not die.", remedy=f"See what process {process.pid} hangs in.")

    def _spawn(self, program: Program) -> None:
        log = os.fspath(self.log(program.name))
        pid = os.posix_spawn(
            program.command[0],
            program.command,
            program.environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        record = {"pid": pid, "command": program.command, "fingerprint": program.fingerprint}
        self._pid_file(program.name).write_text(json.dumps(record))
        with suppress(psutil.Error):  # it may have ended already
            while not psutil.Process(pid).cmdline():  # the system shows none for an instant after the spawn
                time.sleep(0.001)

    def _await_free(self, port: int, name: str) -> None:
        """Whoever killed the program may not have waited: its ports are taken until its last thread has ended."""
        deadline = time.monotonic() + (self._stop_s if self._read(name) else 0)
        while True:
            try:
                require_free(port, name)
                return
            except StackFailed:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)

    def _await_ready(self, program: Program, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not program.ready():
            alive = self.pid(program.name) is not None
            if alive and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            log = self.log(program.name)
            tail = log.read_text(errors="replace").splitlines()[-20:]
            raise StackFailed(
                f"{program.name} is not ready after {timeout_s:.0f} s."
                if alive
                else f"{program.name} ended at its start.",
                remedy=f"Its log says why: {log}",
                detail="\n".join(tail),
            )

    def _process(self, name: str) -> psutil.Process | None:
        record = self._read(name)
        return record.process() if record else None

    def _read(self, name: str) -> _Record | None:
        try:
            return _Record(**json.loads(self._pid_file(name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):  # none, or cut short by a crash
            return None

    def _pid_file(self, name: str) -> Path:
        return self._run / f"{name}.json"


def _ended(process: psutil.Process, timeout_s: float) -> bool:
    """Wait for the end; a process whose parent has not asked for its exit code (a zombie) has ended too.

    While other threads of a zombie still end, its ports are taken.
    """
    deadline = time.monotonic() + timeout_s
    try:
        while process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return True
    with suppress(ChildProcessError):  # it is not a child of this process: another one asks
        os.waitpid(process.pid, os.WNOHANG)
    return True
