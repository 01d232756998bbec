"""The whole stack, in the order in which its programs need each other."""

import fcntl
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local.broker import broker
from local.java import Artifacts, fetch, located
from local.played_day import played_day, turn_over
from local.probe import http_ok
from local.processes import Program, Supervisor
from local.registry import registry, url
from stoculus.connections import Registry
from stoculus.kafka.registry import register_all
from stoculus.settings import PREFIX, Connections, LocalSettings, SimulatorSettings

_SIMULATOR: Final = "simulator"
LIVE_SPEED: Final = 20
"""Market seconds a second of the simulated tape: a bar of a minute every three seconds, a session in twenty minutes."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one program; `pid` is None when it does not run."""

    name: str
    port: int
    pid: int | None
    ready: bool
    log: Path


class Stack:
    """Broker, registry, simulator, the three services and coordinator on 127.0.0.1; state in `settings.var_dir`.

    `environment` is what the programs get, with the addresses of this stack put in. Vendor, store and the folder where
    days are sorted are the stack's own too, unless `STOCULUS_THETA_URL` (then there is no simulator),
    `STOCULUS_STORE_URL` and `STOCULUS_SPILL_DIR` in it say otherwise; the simulator's tape plays a day
    after the last one, at LIVE_SPEED, unless `STOCULUS_SIM_LIVE_DATE` and `STOCULUS_SIM_LIVE_SPEED` do. `say` is told
    of each step.
    """

    def __init__(self, settings: LocalSettings, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._settings = settings
        self._environment = environment
        self._say = say
        self._var = settings.var_dir.resolve()
        self._cache = self._var / "java"
        self._supervisor = Supervisor(self._var)

    @property
    def live_day(self) -> date:
        """The day that the simulator's tape plays."""
        return SimulatorSettings.load(self._environment).sim_live_date or played_day(self._var)

    @property
    def is_simulated(self) -> bool:
        """Whether the simulator is the vendor."""
        return not self._environment.get("STOCULUS_THETA_URL")

    def up(self) -> None:
        """Start what does not run, restart what has other settings now; return when all is ready."""
        with self._alone():
            artifacts = fetch(self._cache, self._say)
            if self._supervisor.pid(_SIMULATOR) is None:
                turn_over(self._var)
            for stage in map(self._wanted, self._stages(artifacts)):
                with ThreadPoolExecutor(len(stage)) as threads:
                    for program, started in zip(stage, threads.map(self._supervisor.start, stage), strict=True):
                        state = "is ready" if started else "was ready"
                        self._say(f"{program.name} {state} on 127.0.0.1:{program.ports[0]}")
                if any(program.name == "registry" for program in stage):
                    register_all(Registry(url(self._settings.registry_port)))

    def down(self) -> None:
        """Stop all, last first; what they stored stays."""
        with self._alone():
            for program in reversed(self._programs()):
                if self._supervisor.stop(program.name):
                    self._say(f"{program.name} is stopped")

    def status(self) -> list[Status]:
        """All programs, in the order of their start."""
        return [self._status(program) for program in self._wanted(self._programs())]

    def _status(self, program: Program) -> Status:
        pid = self._supervisor.pid(program.name)
        ready = pid is not None and program.ready()
        return Status(program.name, program.ports[0], pid, ready, self._supervisor.log(program.name))

    def _wanted(self, programs: list[Program]) -> list[Program]:
        """Without the simulator where there is another vendor."""
        return [one for one in programs if one.name != _SIMULATOR or self.is_simulated]

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
                self._simulator(),
            ],
            [
                self._python("historical-stock", "services.historical_stock", (at.historical_stock_port,), "/readyz"),
                self._python(
                    "historical-option", "services.historical_option", (at.historical_option_port,), "/readyz"
                ),
            ],
            [
                self._live_stream(),
                self._python("coordinator", "coordinator", (at.coordinator_port,), "/readyz"),
            ],
        ]

    def _simulator(self) -> Program:
        at = self._settings
        tape = {"STOCULUS_SIM_LIVE_DATE": str(self.live_day), "STOCULUS_SIM_LIVE_SPEED": str(LIVE_SPEED)}
        return self._python(_SIMULATOR, "simulator", (at.sim_port, at.sim_ws_port), "/__clock", tape)

    def _live_stream(self) -> Program:
        day = {"STOCULUS_LIVE_DATE": str(self.live_day)} if self.is_simulated else {}
        return self._python("live-stream", "services.live_stream", (self._settings.live_stream_port,), "/readyz", day)

    def _python(
        self,
        name: str,
        module: str,
        ports: tuple[int, ...],
        ready_path: str,
        defaults: Mapping[str, str] = MappingProxyType({}),
    ) -> Program:
        return Program(
            name=name,
            command=(sys.executable, "-m", module),
            environment={**defaults, **self._program_environment()},
            ports=ports,
            ready=lambda: http_ok(ports[0], ready_path),
        )

    def _program_environment(self) -> dict[str, str]:
        at = self._settings
        simulated = {
            "STOCULUS_THETA_URL": f"http://127.0.0.1:{at.sim_port}",
            "STOCULUS_THETA_STREAM_URL": f"ws://127.0.0.1:{at.sim_ws_port}/v1/events",
            "STOCULUS_THETA_TIER": "pro",
        }
        own_store = {"STOCULUS_STORE_URL": f"sqlite:///{self._var / 'coordinator.sqlite'}"}
        return {
            **(simulated if self.is_simulated else {}),
            **({} if self._environment.get("STOCULUS_STORE_URL_FILE") else own_store),
            "STOCULUS_SPILL_DIR": str(self._var / "spill"),
            **self._environment,
            # These are this stack's, which wants no login.
            **dict.fromkeys(Connections.variables(), ""),
            "STOCULUS_KAFKA_BOOTSTRAP": f"127.0.0.1:{at.kafka_port}",
            "STOCULUS_REGISTRY_URL": url(at.registry_port),
            "STOCULUS_HISTORICAL_STOCK_URL": f"http://127.0.0.1:{at.historical_stock_port}",
            "STOCULUS_HISTORICAL_OPTION_URL": f"http://127.0.0.1:{at.historical_option_port}",
            "STOCULUS_LIVE_STREAM_URL": f"http://127.0.0.1:{at.live_stream_port}",
            "STOCULUS_SIM_PORT": str(at.sim_port),
            "STOCULUS_SIM_WS_PORT": str(at.sim_ws_port),
            "STOCULUS_HISTORICAL_STOCK_PORT": str(at.historical_stock_port),
            "STOCULUS_HISTORICAL_OPTION_PORT": str(at.historical_option_port),
            "STOCULUS_LIVE_STREAM_PORT": str(at.live_stream_port),
            "STOCULUS_COORDINATOR_PORT": str(at.coordinator_port),
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once take turns."""
        with (self._var / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
