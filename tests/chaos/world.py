"""The whole stack of the suite, to be broken: every program a real process on a port of its own."""

import gc
import os
import random
import signal
import socket
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx2
from confluent_kafka.admin import AdminClient

from local.processes import Program, Supervisor
from local.registry import url as registry_url
from local.stack import Stack
from stoculus.connections import Kafka, Registry
from stoculus.settings import LocalSettings

DEADLINE_S: Final = 180
SERVICE, COORDINATOR, BROKER, REGISTRY, VENDOR = "historical-stock", "coordinator", "broker", "registry", "simulator"
LIVE = "live-stream"


def until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Wait for a condition; return its true value. `what` may still change while it waits."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def listening_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to outgoing connections: a port whose program is dead stays free."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as probe:
            if port not in ports and probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
    return ports


class World:
    """A stack in a folder of its own, and what one does to it. `up` brings back whatever died."""

    def __init__(self, var: Path, environment: dict[str, str]) -> None:
        kafka, controller, registry, simulator, stream, service, option_service, live, coordinator = listening_ports(9)
        self.settings = LocalSettings(
            var_dir=var,
            kafka_port=kafka,
            kafka_controller_port=controller,
            registry_port=registry,
            sim_port=simulator,
            sim_ws_port=stream,
            historical_stock_port=service,
            historical_option_port=option_service,
            live_stream_port=live,
            coordinator_port=coordinator,
        )
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
        self._stack = Stack(self.settings, clean | environment, lambda _: None)
        self._supervisor = Supervisor(var)
        self.kafka = Kafka(f"127.0.0.1:{kafka}")
        self.registry = Registry(registry_url(registry))
        self.vendor_url = f"http://127.0.0.1:{simulator}"
        self.service_url = f"http://127.0.0.1:{service}"
        self.api = httpx2.Client(base_url=f"http://127.0.0.1:{coordinator}", timeout=60, trust_env=False)

    def up(self) -> None:
        """Start what does not run; return when all is ready."""
        with warnings.catch_warnings():  # registering the schemas leaves its connection to the collector of garbage
            warnings.simplefilter("ignore", ResourceWarning)
            self._stack.up()
            gc.collect()

    def down(self) -> None:
        self.api.close()
        self._stack.down()

    def program(self, name: str) -> Program:
        """How the stack starts a program."""
        programs = self._stack._programs()
        return next(program for program in programs if program.name == name)

    def start(self, program: Program, *, ready: bool = True) -> None:
        """Start one program alone; not `ready`: without waiting until it does its work."""
        self._supervisor.start(program if ready else replace(program, ready=lambda: True))

    def kill(self, *names: str) -> None:
        """`kill -9`, all at once. They die at once, but may still hold their ports for a moment."""
        for pid in [self.pid(name) for name in names]:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(self.runs(name) for name in names), f"{names} die")

    def end(self, name: str, within_s: float) -> int:
        """SIGTERM; the exit code, which must come in time."""
        pid, ended = self.pid(name), (0, 0)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + within_s
        while ended[0] == 0:
            assert time.monotonic() < deadline, f"{name} runs on after {within_s} s: {self.log(name)[-2000:]}"
            time.sleep(0.02)
            ended = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(ended[1])

    def stop(self, name: str) -> None:
        self._supervisor.stop(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.pid(name), number)

    def pid(self, name: str) -> int:
        pid = self._supervisor.pid(name)
        assert pid is not None, f"{name} does not run: {self.log(name)[-2000:]}"
        return pid

    def runs(self, name: str) -> bool:
        return self._supervisor.pid(name) is not None

    def log(self, name: str) -> str:
        """All that a program has said since the stack was made."""
        return self._supervisor.log(name).read_text(errors="replace")

    def fault(self, **script: Any) -> None:
        """Have the vendor fail, as simulator.faults.Script says."""
        httpx2.post(f"{self.vendor_url}/__faults", json=script, trust_env=False).raise_for_status()

    def slow(self, bytes_per_s: int) -> None:
        """Have every history answer trickle, so that there is time to break something."""
        self.fault(fault={"kind": "slow", "bytes_per_s": bytes_per_s})

    def heal(self) -> None:
        """No more faults for new requests."""
        httpx2.delete(f"{self.vendor_url}/__faults", trust_env=False).raise_for_status()

    def held(self, service_url: str) -> dict[str, Any]:
        """The tasks that a service holds now, by id."""
        answer = httpx2.get(f"{service_url}/v1/tasks", trust_env=False).raise_for_status()
        return {status["task_id"]: status for status in answer.json()["tasks"]}

    def submit(self, body: dict[str, Any]) -> None:
        answer = self.api.post("/v1/backtests", json=body)
        assert answer.status_code in (200, 202), answer.text

    def answer(self, path: str) -> int:
        """The status of the coordinator's answer to a GET; 0 where it does not answer."""
        try:
            return self.api.get(path).status_code
        except httpx2.HTTPError:
            return 0

    def topics(self) -> set[str]:
        return set(AdminClient(self.kafka.config).list_topics(timeout=15).topics)

    def act(self, backtest_id: str, action: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return self.api.post(f"/v1/backtests/{backtest_id}:{action}", json=body)

    def show(self, backtest_id: str) -> dict[str, Any]:
        """The backtest, {} while the coordinator cannot tell."""
        try:
            answer = self.api.get(f"/v1/backtests/{backtest_id}")
        except httpx2.HTTPError:
            return {}
        assert answer.status_code in (200, 503), answer.text
        return dict(answer.json()) if answer.status_code == 200 else {}

    def wait_for(self, backtest_id: str, *states: str, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """Wait until it is in one of the states; a failure that is not expected ends the wait."""
        shown: dict[str, Any] = {}

        def reached() -> bool:
            shown.update(self.show(backtest_id))
            return shown.get("state") in {*states, "failed"}

        try:
            until(reached, f"{backtest_id} is {states}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {shown}\n{self.log(SERVICE)[-3000:]}") from None
        assert shown["state"] in states, f"{shown}\n{self.log(SERVICE)[-6000:]}"
        return shown

    def wait_for_records(self, backtest_id: str, more_than: int = 0) -> int:
        """Wait until more records than that are committed; return how many."""
        return int(until(lambda: max(0, self.show(backtest_id).get("records", 0) - more_than), "records")) + more_than
