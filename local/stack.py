"""The whole stack, in the order in which its programs need each other."""

import fcntl
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.broker import broker
from local.java import Artifacts, fetch, located
from local.probe import http_ok
from local.processes import Program, Supervisor
from local.registry import registry, url
from stoculus.kafka.registry import register_all
from stoculus.settings import PREFIX, LocalSettings


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one program; `pid` is None when it does not run."""

    name: str
    port: int
    pid: int | None
    ready: bool
    log: Path


class Stack:
    """Broker, registry, simulator, both historical services and coordinator on 127.0.0.1; state in `settings.var_dir`.

    `environment` is what the programs get, with the addresses of this stack put in. Vendor, store and the folder where
    days are sorted are the stack's own too, unless `STOCULUS_THETA_URL`, `STOCULUS_STORE_URL` and `STOCULUS_SPILL_DIR`
    in it say otherwise. `say` is told of each step.
    """

    def __init__(self, settings: LocalSettings, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._settings = settings
        self._environment = environment
        self._say = say
        self._var = settings.var_dir.resolve()
        self._cache = self._var / "java"
        self._supervisor = Supervisor(self._var)

    def up(self) -> None:
        """Start what does not run, restart what has other settings now; return when all is ready."""
        with self._alone():
            for stage in self._stages(fetch(self._cache, self._say)):
                with ThreadPoolExecutor(len(stage)) as threads:
                    for program, started in zip(stage, threads.map(self._supervisor.start, stage), strict=True):
                        state = "is ready" if started else "was ready"
                        self._say(f"{program.name} {state} on 127.0.0.1:{program.ports[0]}")
                if any(program.name == "registry" for program in stage):
                    register_all(url(self._settings.registry_port))

    def down(self) -> None:
        """Stop all, last first; what they stored stays."""
        with self._alone():
            for program in reversed(self._programs()):
                if self._supervisor.stop(program.name):
                    self._say(f"{program.name} is stopped")

    def status(self) -> list[Status]:
        """All programs, in the order of their start."""
        return [self._status(program) for program in self._programs()]

    def _status(self, program: Program) -> Status:
        pid = self._supervisor.pid(program.name)
        ready = pid is not None and program.ready()
        return Status(program.name, program.ports[0], pid, ready, self._supervisor.log(program.name))

    def _programs(self) -> list[Program]:
        return [program for stage in self._stages(located(self._cache)) for program in stage]

    def _stages(self, artifacts: Artifacts) -> list[list[Program]]:
        """Those of a stage start at once, when those of the stage before are ready."""
        at = self._settings
        foreign = {name: value for name, value in self._environment.items() if not name.startswith(PREFIX)}
        return [
            [
                broker(self._var, artifacts.kafka, foreign, at.kafka_port, at.kafka_controller_port),
                registry(self._var, artifacts.registry, foreign, at.registry_port),
                self._python("simulator", "simulator", (at.sim_port, at.sim_ws_port), "/__clock"),
            ],
            [
                self._python("historical-stock", "services.historical_stock", (at.historical_stock_port,), "/readyz"),
                self._python(
                    "historical-option", "services.historical_option", (at.historical_option_port,), "/readyz"
                ),
            ],
            [self._python("coordinator", "coordinator", (at.coordinator_port,), "/readyz")],
        ]

    def _python(self, name: str, module: str, ports: tuple[int, ...], ready_path: str) -> Program:
        return Program(
            name=name,
            command=(sys.executable, "-m", module),
            environment=self._program_environment(),
            ports=ports,
            ready=lambda: http_ok(ports[0], ready_path),
        )

    def _program_environment(self) -> dict[str, str]:
        at = self._settings
        simulated = {
            "STOCULUS_THETA_URL": f"http://127.0.0.1:{at.sim_port}",
            "STOCULUS_THETA_TIER": "pro",
        }
        return {
            **({} if "STOCULUS_THETA_URL" in self._environment else simulated),
            "STOCULUS_STORE_URL": f"sqlite:///{self._var / 'coordinator.sqlite'}",
            "STOCULUS_SPILL_DIR": str(self._var / "spill"),
            **self._environment,
            "STOCULUS_KAFKA_BOOTSTRAP": f"127.0.0.1:{at.kafka_port}",
            "STOCULUS_REGISTRY_URL": url(at.registry_port),
            "STOCULUS_HISTORICAL_STOCK_URL": f"http://127.0.0.1:{at.historical_stock_port}",
            "STOCULUS_HISTORICAL_OPTION_URL": f"http://127.0.0.1:{at.historical_option_port}",
            "STOCULUS_SIM_PORT": str(at.sim_port),
            "STOCULUS_SIM_WS_PORT": str(at.sim_ws_port),
            "STOCULUS_HISTORICAL_STOCK_PORT": str(at.historical_stock_port),
            "STOCULUS_HISTORICAL_OPTION_PORT": str(at.historical_option_port),
            "STOCULUS_COORDINATOR_PORT": str(at.coordinator_port),
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once take turns."""
        with (self._var / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
