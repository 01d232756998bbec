"""A supervised terminal by settings: of the program theta-terminal, or inside a service."""

import logging
import os
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr

from stoculus.errors import SettingsInvalid
from stoculus.settings import PREFIX, TerminalSettings
from theta_client.terminal.life import State
from theta_client.terminal.setup import Setup
from theta_client.terminal.supervisor import Supervisor

OWN_STOP_S: Final = 2.2
"""How long Java may take inside a service, whose tasks end at the same time."""
log = logging.getLogger(__name__)


def user_agent(program: str) -> str:
    """How a program of the suite introduces itself to the terminal, and to a proxy before it."""
    return f"stoculus-{program}/{version('stoculus')}"


def supervisor_of(settings: TerminalSettings, program: str, *, stop_s: float, has_stream: bool = True) -> Supervisor:
    """A terminal that is ready to be started. Raise SettingsInvalid, or VendorUnreachable for a jar that is away."""
    supervisor = Supervisor(
        Setup(
            folder=settings.terminal_dir.absolute(),
            email=_secret("theta_email", settings.theta_email),
            password=_secret("theta_password", settings.theta_password),
            sha256=settings.terminal_sha256,
            jar=settings.terminal_jar,
            url=settings.terminal_url,
            heap_mb=settings.terminal_heap_mb,
            java=settings.terminal_java,
            rest_port=settings.terminal_rest_port,
            stream_port=settings.terminal_stream_port,
            has_stream=has_stream,
            environment=os.environ,
        ),
        stop_s=stop_s,
        user_agent=user_agent(program),
    )
    supervisor.prepare(lambda text: log.info("%s", text))
    return supervisor


def _secret(name: str, given: SecretStr | None) -> str:
    variable = PREFIX + name.upper()
    value = given.get_secret_value() if given else ""
    if not value or "\n" in value or "\r" in value:
        raise SettingsInvalid(
            f"{variable} is {'of more than one line' if value else 'not set'}: the terminal needs the account.",
            remedy=f"Write it into a file that only you can read, and name that in {variable}_FILE.",
        )
    return value


class TerminalMetrics(Collector):
    """What a supervised terminal is doing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def collect(self) -> Iterable[Metric]:
        status = self._supervisor.status
        state = GaugeMetricFamily("stoculus_terminal_state", "1: the terminal is in this state", labels=["state"])
        for one in State:
            state.add_metric([one], float(one is status.state))
        yield state
        yield CounterMetricFamily("stoculus_terminal_starts", "Starts of the jar", value=status.starts)
        yield GaugeMetricFamily(
            "stoculus_terminal_up_seconds", "How long the terminal is connected; 0: it is not", value=status.up_s
        )
