"""The terminal that a service asks, shared or of its own, and whether the account is still ours."""

import threading
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from services.kit.meters import VendorMeters
from services.kit.terminal import OWN_STOP_S, TerminalMetrics, supervisor_of, user_agent
from stoculus.errors import SessionTaken
from stoculus.settings import VendorSettings
from theta_client.client import Observe, ThetaClient

_LOOK_AGAIN_S: Final = 5.0


def client_of(settings: VendorSettings, program: str, observe: Observe = lambda *_: None) -> ThetaClient:
    """The client of the terminal that the settings name. Nothing is connected before it is needed."""
    return ThetaClient(
        settings.theta_url,
        settings.theta_tier,
        user_agent=user_agent(program),
        idle_timeout_s=settings.theta_idle_timeout_s,
        observe=observe,
    )


class Vendor:
    """Raises SettingsInvalid or VendorUnreachable where a terminal of its own cannot be run.

    `in_doubt` says that something is amiss by which the session may be taken; without it only a refused request tells.
    """

    def __init__(
        self,
        settings: VendorSettings,
        program: str,
        *,
        has_stream: bool = False,
        in_doubt: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        is_embedded = settings.theta_mode == "embedded"
        self._terminal = (
            supervisor_of(settings, program, stop_s=OWN_STOP_S, has_stream=has_stream) if is_embedded else None
        )
        self._meters = VendorMeters()
        self.client = client_of(settings, program, self._meters.asked)
        self._in_doubt = in_doubt
        self._monotonic = monotonic
        self._looking = threading.Lock()
        self._look_again_at = 0.0

    def start(self) -> None:
        """Start a terminal of its own."""
        if self._terminal is not None:
            self._terminal.start()

    def stop_soon(self) -> None:
        """Have a terminal of its own end while the service does; returns at once."""
        if self._terminal is not None:
            self._terminal.stop_soon()

    def close(self) -> None:
        """Let go of the terminal; one of its own has ended then."""
        self.client.close()
        if self._terminal is not None:
            self._terminal.close()

    def missing(self) -> list[str]:
        """Why the vendor cannot be asked, for /readyz: nothing goes on until somebody has done something."""
        found = []
        if self._terminal is not None and not (status := self._terminal.status).is_running:
            found.append(str(status))
        if (taken := self.taken()) is not None:
            found.append(str(taken))
        return found

    def taken(self) -> SessionTaken | None:
        """Who holds the account instead. Where that is so, or in doubt, the terminal is asked every few seconds."""
        with self._looking:
            is_due = self._monotonic() >= self._look_again_at
            if is_due and (self.client.session_taken is not None or self._in_doubt()):
                self._look_again_at = self._monotonic() + _LOOK_AGAIN_S
                self.client.look_at_session()
        return self.client.session_taken

    def register(self, metrics: CollectorRegistry) -> None:
        """Have it told in metrics."""
        self._meters.register(metrics, self.client)
        taken = Gauge(
            "stoculus_vendor_session_taken", "1: another terminal has logged in on the account", registry=metrics
        )
        taken.set_function(lambda: float(self.taken() is not None))
        if self._terminal is not None:
            metrics.register(TerminalMetrics(self._terminal))
