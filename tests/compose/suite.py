"""The suite in containers, as `docker compose` runs it, and what one does to it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import httpx2

from tests.conftest import CHECKOUT, free_ports

PROJECT: Final = "stoculus-test"
DEADLINE_S: Final = 240
LONGEST_S: Final = 900


def run(
    *command: str, check: bool = True, variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a program in the checkout; `variables` are added to its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STOCULUS_", "COMPOSE_"))}
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**clean, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LONGEST_S,
        check=False,
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def has_compose() -> bool:
    """Whether `docker compose` is there."""
    return bool(shutil.which("docker")) and run("docker", "compose", "version", check=False).returncode == 0


def has_engine() -> bool:
    """Whether a Docker engine answers, too."""
    return has_compose() and run("docker", "info", check=False).returncode == 0


def until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Wait for a condition; return its true value."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.5)
    raise AssertionError(f"never: {what}")


class Suite:
    """A compose project of its own, its coordinator on a free port."""

    def __init__(self, profile: str, *files: str, project: str = PROJECT, **variables: str) -> None:
        [port] = free_ports(1)
        self._variables = {"STOCULUS_COORDINATOR_PORT": str(port), **variables}
        overlays = [word for file in ("docker-compose.yml", *files) for word in ("-f", file)]
        self._project = project
        self._compose = ("docker", "compose", "-p", project, *overlays, "--profile", profile)
        self.url = f"http://127.0.0.1:{port}"
        self.api = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def compose(self, *words: str, check: bool = True) -> str:
        """What `docker compose` prints."""
        return run(*self._compose, *words, check=check, variables=self._variables).stdout

    def exec(self, service: str, *words: str, check: bool = True) -> str:
        """What a program in a service's container prints."""
        return self.compose("exec", "-T", service, *words, check=check)

    def paste(self, block: str) -> str:
        """What a block of the README prints; the command line's place is the coordinator's container."""
        inside = " ".join((*self._compose, "exec", "-T", "coordinator", "stoculus"))
        block = block.replace(".venv/bin/stoculus", inside).replace("http://127.0.0.1:8000", self.url)
        return run("bash", "-e", "-o", "pipefail", "-c", block, variables=self._variables).stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """What `docker inspect` knows of each container, by service."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(run("docker", "inspect", *ids).stdout) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def running(self) -> dict[str, dict[str, Any]]:
        """Those that run for as long as the suite does."""
        return {name: one for name, one in self.containers().items() if name != "schemas"}

    def unhealthy(self) -> dict[str, str]:
        """Services that are not healthy, and how they are."""
        states = {name: one["State"] for name, one in self.running().items()}
        shown = {name: state.get("Health", {}).get("Status", state["Status"]) for name, state in states.items()}
        return {name: status for name, status in shown.items() if status != "healthy"}

    def heal(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until all services are healthy."""
        try:
            until(lambda: not self.unhealthy(), "all are healthy", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.unhealthy()}\n{self.compose('logs', '--tail=30')}") from None

    def kill(self, service: str) -> None:
        """As a crash: the engine sees the program die, and starts it again."""
        pid = self.containers()[service]["State"]["Pid"]
        assert pid, f"{service} does not run"
        run("kill", "-9", str(pid))

    def submit(self, backtest_id: str, **body: Any) -> None:
        answer = self.api.post("/v1/backtests", json={"backtest_id": backtest_id, **body})
        assert answer.status_code in (200, 202), answer.text

    def show(self, kind: str, name: str) -> dict[str, Any]:
        """A backtest or a stream; {} while the coordinator cannot tell."""
        try:
            answer = self.api.get(f"/v1/{kind}/{name}")
        except httpx2.HTTPError:
            return {}
        return dict(answer.json()) if answer.status_code == 200 else {}

    def wait_for(self, backtest_id: str, state: str = "completed", deadline_s: float = DEADLINE_S) -> None:
        shown: dict[str, Any] = {}

        def reached() -> bool:
            shown.update(self.show("backtests", backtest_id))
            return shown.get("state") in {state, "failed"}

        until(reached, f"{backtest_id} is {state}", deadline_s)
        assert shown["state"] == state, shown

    def verify(self, backtest_id: str) -> None:
        """An independent check, against the vendor too."""
        self.exec("historical-stock", "stoculus", "verify", backtest_id, "--against-source")

    def down(self) -> None:
        """Away with all of it, data too."""
        self.api.close()
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")

    def leftovers(self) -> list[str]:
        """Containers, networks and volumes of the project that are still there."""
        label = f"label=com.docker.compose.project={self._project}"
        kinds = {"container": ("--all",), "network": (), "volume": ()}
        lists = {kind: run("docker", kind, "ls", "--quiet", "--filter", label, *more) for kind, more in kinds.items()}
        return [f"{kind} {name}" for kind, done in lists.items() for name in done.stdout.split()]
