"""Keeps one terminal alive: starts its jar, watches it, ends and restarts it as its life asks for."""

import logging
import random as random_numbers
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from stoculus.errors import SettingsInvalid
from theta_client.terminal.folder import Lock, make_folder, write_files
from theta_client.terminal.jar import bring_jar, check_jar, check_java
from theta_client.terminal.life import Life, Limits, State
from theta_client.terminal.marks import mark_of
from theta_client.terminal.probe import Answer, probe
from theta_client.terminal.process import Child
from theta_client.terminal.setup import Setup
from theta_client.transport import Cancelled, Transport

log = logging.getLogger(__name__)
_TURN_S: Final = 0.1
_CONNECT_S: Final = 2.0


class Process(Protocol):
    """See theta_client.terminal.process.Child."""

    @property
    def pid(self) -> int: ...
    def exit_code(self) -> int | None: ...
    def stop(self, within_s: float) -> int: ...


@dataclass(frozen=True, slots=True)
class Status:
    """What the terminal is doing, and what to do about it. `up_s`: since when it is connected; 0: it is not."""

    state: State
    reason: str
    remedy: str
    starts: int
    up_s: float

    @property
    def is_running(self) -> bool:
        return self.state is State.RUNNING

    def __str__(self) -> str:
        return f"The terminal is {self.state}: {self.reason} {self.remedy}".strip()


class Supervisor:
    """Runs in a thread of its own between `start` and `close`; `status` may be asked from any.

    `prepare` first: it raises SettingsInvalid for what no restart mends. `stop_s` is how long Java may take to end.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        stop_s: float,
        user_agent: str,
        limits: Limits = Limits(),
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_numbers.random,
        spawn: Callable[[Setup, int, Callable[[str], None]], Process] = Child,
    ) -> None:
        self._setup = setup
        self._stop_s = stop_s
        self._limits = limits
        self._monotonic = monotonic
        self._spawn = spawn
        self._life = Life(limits, random)
        self._lock = Lock(setup.folder)
        self._told = threading.Lock()
        self._closing = threading.Event()
        self._child: Process | None = None
        self._probe_at = 0.0
        self._said: State | None = None
        self._transport = Transport(
            setup.rest_url, connect_timeout_s=_CONNECT_S, idle_timeout_s=limits.answer_s, user_agent=user_agent
        )
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make the folder, bring the jar, look at Java. Raise SettingsInvalid, or VendorUnreachable."""
        make_folder(self._setup.folder)
        bring_jar(self._setup, say)
        check_java(self._setup)

    def start(self) -> None:
        self._thread.start()

    def stop_soon(self) -> None:
        """Have Java ended; returns at once."""
        self._closing.set()

    def close(self) -> None:
        """End Java; returns when it has ended."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._transport.close()

    @property
    def status(self) -> Status:
        with self._told:
            life = self._life
            up_s = 0.0 if life.up_since is None else self._monotonic() - life.up_since
            return Status(life.state, life.reason, life.remedy, life.starts, up_s)

    def _run(self) -> None:
        while not self._closing.wait(_TURN_S):
            try:
                self._turn()
            except Cancelled:
                break
            except Exception as error:
                log.exception("The supervisor met a defect")
                with self._told:
                    self._life.blocked(f"A defect of Stoculus: {error!r}.", "Please report it.", self._monotonic())
            self._say()
        self._end()
        self._setup.credentials.unlink(missing_ok=True)
        self._lock.release()

    def _turn(self) -> None:
        child = self._child
        if child is not None and (code := child.exit_code()) is not None:
            self._bury(code)
        elif child is not None and self._monotonic() >= self._probe_at:
            answer = self._probe()
            self._probe_at = self._monotonic() + self._limits.probe_every_s
            with self._told:
                self._life.probed(answer, self._monotonic())
        with self._told:
            act = self._life.due(self._monotonic())
        if act == "start":
            self._start()
        elif act == "stop":
            self._end()

    def _probe(self) -> Answer:
        return probe(self._transport, self._closing)

    def _start(self) -> None:
        """Start the jar, unless something is in its way: one that cannot bind its port still takes the session."""
        setup = self._setup
        try:
            if not self._lock.acquire():
                raise SettingsInvalid(
                    f"Another program runs a terminal from {setup.folder}.",
                    remedy="An account has one terminal: end the other one, or use its address.",
                )
            check_jar(setup.own_jar, setup.sha256)
            for port in (setup.rest_port, setup.stream_port):
                _require_free(port)
            write_files(setup)
            self._child = self._spawn(setup, self._lock.fileno, self._hear)
        except (SettingsInvalid, OSError) as error:
            reason = error.message if isinstance(error, SettingsInvalid) else f"{error}."
            remedy = error.remedy if isinstance(error, SettingsInvalid) else "See folder, disk and Java."
            with self._told:
                self._life.blocked(reason, remedy, self._monotonic())
            return
        with self._told:
            self._life.started(self._monotonic())
        self._lock.note(self._child.pid)
        self._probe_at = self._monotonic() + self._limits.probe_every_s

    def _end(self) -> None:
        if self._child is not None:
            self._bury(self._child.stop(self._stop_s))

    def _bury(self, code: int) -> None:
        self._child = None
        with self._told:
            self._life.ended(code, self._monotonic())

    def _hear(self, line: str) -> None:
        """A line of its log, from another thread."""
        log.info("%s", self._setup.redacted(line))
        if (mark := mark_of(line)) is not None:
            with self._told:
                self._life.marked(mark, self._monotonic())

    def _say(self) -> None:
        status = self.status
        if status.state is not self._said:
            self._said = status.state
            is_well = status.state in (State.STARTING, State.RUNNING)
            log.log(logging.INFO if is_well else logging.WARNING, "%s", status)


def _require_free(port: int) -> None:
    with socket.socket() as listener:
        if listener.connect_ex(("127.0.0.1", port)) == 0:
            raise SettingsInvalid(
                f"Something listens on port {port} of this host already.",
                remedy="Is it another terminal? End it, or set STOCULUS_TERMINAL_REST_PORT and _STREAM_PORT.",
            )
