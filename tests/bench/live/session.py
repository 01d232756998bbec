"""A tape at work: the vendor that plays a day, the live service, and the consumer; each a process."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import psutil

from local.probe import http_ok
from stoculus.kafka.admin import DATA_CONFIG, create_topics, delete_topics
from stoculus.settings import PREFIX
from stoculus.streams import StockFeed, StreamSpec
from tests.bench.live.consumer import Reader
from tests.bench.live.market import DAY
from tests.bench.stack import Bench, free_ports

_START_S: Final = 120
_EVER_S: Final = 100_000
_DROPPED: Final = re.compile(r"^stoculus_live_messages_dropped_total (\S+)$", re.MULTILINE)
_MESSAGES: Final = re.compile(r"^stoculus_live_messages_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Session:
    """`service` is its process."""

    vendor: httpx2.Client
    api: httpx2.Client
    service: psutil.Process
    reader: Reader

    @property
    def sent(self) -> int:
        """Quotes and trades that the vendor has sent."""
        return int(self._played()["ticks_sent"])

    @property
    def has_begun(self) -> bool:
        return self._played()["position"] is not None

    @property
    def behind(self) -> int:
        """Quotes and trades that were sent and cannot be read yet."""
        return self.sent - self.reader.records

    @property
    def dropped(self) -> int:
        """Messages that were dropped: by the vendor's queue, or by the service, which heals them."""
        return int(self._played()["ticks_lost"]) + self._counted(_DROPPED)

    @property
    def messages(self) -> int:
        """Data messages that the service has received: quotes, trades, and an OHLC before each trade."""
        return self._counted(_MESSAGES)

    def burst(self, factor: float, seconds: float) -> None:
        """Play so many times as fast for some time."""
        self._fault(kind="stream_burst", factor=factor, seconds=seconds)

    def hush(self) -> None:
        """Have the vendor send no more ticks."""
        self._fault(kind="stream_silence", seconds=_EVER_S)

    def cpu_s(self) -> float:
        """What the service has used so far."""
        times = self.service.cpu_times()
        return float(times.user + times.system)

    def _fault(self, **fault: Any) -> None:
        script = {"match": {}, "times": None, "fault": fault}
        self.vendor.post("/__faults", json=script).raise_for_status()

    def _played(self) -> dict[str, Any]:
        return dict(self.vendor.get("/__stream").raise_for_status().json())

    def _counted(self, pattern: re.Pattern[str]) -> int:
        found = pattern.search(self.api.get("/metrics").raise_for_status().text)
        return int(float(found[1])) if found else 0


@contextmanager
def playing(bench: Bench, feeds: Sequence[StockFeed], speed: float) -> Iterator[Session]:
    """A session whose day has just begun."""
    topics = [feed.topic for feed in feeds]
    with ExitStack() as stack:
        stack.callback(delete_topics, bench.admin, topics)
        create_topics(bench.admin, topics, DATA_CONFIG)
        played = stack.enter_context(vendor(bench, speed))
        service, api = stack.enter_context(_service(bench, played))
        reader = Reader(bench.bootstrap, topics, Path(bench.settings.var_dir) / "seen.npy")
        stack.callback(reader.close)
        spec = StreamSpec(stream_id="bench", feeds=list(feeds))
        body = spec.model_dump(mode="json", by_alias=True)
        api.put(f"/v1/streams/{spec.stream_id}", json=body).raise_for_status()
        session = Session(played, api, psutil.Process(service), reader)
        until(lambda: session.has_begun, "the day begins")
        yield session


@contextmanager
def vendor(bench: Bench, speed: float) -> Iterator[httpx2.Client]:
    """The simulator with the load market: its day begins a second after the last subscription."""
    port, ws_port = free_ports(2)
    own = {"sim_port": port, "sim_ws_port": ws_port, "sim_live_date": DAY, "sim_live_speed": speed}
    # Only the simulator's own settings.
    environment = {k: v for k, v in bench.environment().items() if not k.startswith(PREFIX)}
    environment |= {f"{PREFIX}{name.upper()}": str(value) for name, value in own.items()}
    with _process(bench, "tests.bench.live.vendor", environment):
        until(lambda: http_ok(port, "/__clock"), "the vendor answers")
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client


@contextmanager
def _service(bench: Bench, played: httpx2.Client) -> Iterator[tuple[int, httpx2.Client]]:
    (port,) = free_ports(1)
    stream_url = played.get("/__stream").raise_for_status().json()["url"]
    own = {"theta_url": played.base_url, "theta_stream_url": stream_url, "live_stream_port": port, "live_date": DAY}
    with _process(bench, "services.live_stream", bench.environment(**own)) as pid:
        until(lambda: http_ok(port, "/readyz"), "the service is ready")
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield pid, client


@contextmanager
def _process(bench: Bench, module: str, environment: dict[str, str]) -> Iterator[int]:
    with (
        (bench.settings.var_dir / "log" / "live-bench.log").open("ab") as log,
        subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()


def until(holds: Callable[[], bool], what: str, most_s: float = _START_S) -> float:
    """Wait; return the seconds that it took."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > most_s:
            raise RuntimeError(f"not within {most_s} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started
