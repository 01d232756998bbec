"""A folder with the stand-in jar and its script, and what can be seen of the terminal that runs there."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import psutil

from local.java import JAVA
from tests.conftest import free_ports
from theta_client.session import Budget
from theta_client.terminal.life import Limits, State
from theta_client.terminal.setup import Setup
from theta_client.terminal.supervisor import Supervisor

EMAIL, PASSWORD = "quant@example.com", "hunter2 & käse"
HEAP_MB = 96
HASTY = Limits(
    start_s=30,
    probe_every_s=0.05,
    answer_s=0.5,
    silent_probes=3,
    kicked_s=0.3,
    login_s=1.0,
    restarts=Budget(attempts=0, first_s=0.05, most_s=0.2),
    retries=Budget(attempts=0, first_s=2.0, most_s=8.0),
    blocked_s=0.1,
    failing_s=0.5,
)
DEADLINE_S = 60
Value = TypeVar("Value")


def until(look: Callable[[], Value], what: Callable[[], object]) -> Value:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)
    return found


@dataclass
class Box:
    """One terminal; `script` is what the stand-in is to do."""

    folder: Path
    jar: Path
    ports: list[int] = field(default_factory=lambda: free_ports(2))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.jar.read_bytes()).hexdigest()

    @property
    def setup(self) -> Setup:
        rest_port, stream_port = self.ports
        return Setup(
            folder=self.folder,
            email=EMAIL,
            password=PASSWORD,
            sha256=self.sha256,
            jar=self.jar,
            heap_mb=HEAP_MB,
            java=JAVA,
            rest_port=rest_port,
            stream_port=stream_port,
            environment={"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1", "STOCULUS_THETA_PASSWORD": PASSWORD},
        )

    def script(self, **orders: object) -> "Box":
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{name}={value}\n" for name, value in orders.items())
        (self.folder / "standin.properties").write_text(lines)
        return self

    def order(self, path: str) -> None:
        """Have the running stand-in do something."""
        httpx2.get(f"http://127.0.0.1:{self.ports[0]}/__standin/{path}", trust_env=False)

    def supervisor(self, stop_s: float = 5, limits: Limits = HASTY, **changes: Any) -> Supervisor:
        made = Supervisor(replace(self.setup, **changes), stop_s=stop_s, user_agent="stoculus-tests", limits=limits)
        made.prepare(lambda text: None)
        return made

    def settings(self) -> Mapping[str, object]:
        """For a program of the suite, without the prefix."""
        return {
            "theta_email": EMAIL,
            "theta_password": PASSWORD,
            "terminal_dir": self.folder,
            "terminal_jar": self.jar,
            "terminal_sha256": self.sha256,
            "terminal_heap_mb": HEAP_MB,
            "terminal_java": JAVA,
            "terminal_rest_port": self.ports[0],
            "terminal_stream_port": self.ports[1],
        }

    @property
    def processes(self) -> list[psutil.Process]:
        """Every Java that runs in the folder."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if str(self.folder) in " ".join(process.info["cmdline"] or [])
            and "-jar" in process.info["cmdline"]
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


@contextmanager
def boxed(folder: Path, jar: Path) -> Iterator[Box]:
    """A box of which nothing is left, also where a test killed what ran it."""
    box = Box(folder, jar)
    yield box
    for process in box.processes:
        process.kill()


def reaches(supervisor: Supervisor, state: State, starts: int = 1) -> None:
    """Wait until it is so."""
    until(lambda: supervisor.status.state is state and supervisor.status.starts >= starts, lambda: supervisor.status)
