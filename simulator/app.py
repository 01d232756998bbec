"""Wiring: settings to an ASGI application."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from simulator.clock import Clock
from simulator.control import control
from simulator.faults import Faults
from simulator.history import StockHistories
from simulator.options import OptionSource
from simulator.options.history import OptionHistories
from simulator.options.lists import OptionLists
from simulator.options.recordings import OptionRecordings
from simulator.options.synthetic import SyntheticOptions
from simulator.reference import Reference
from simulator.requests import RequestLog
from simulator.slots import Slots
from simulator.sources import Source
from simulator.sources.recordings import Recordings
from simulator.sources.synthetic import Synthetic
from simulator.stream.live import LiveStream
from simulator.terminal import Terminal
from simulator.tiers import CONCURRENT, Account
from stoculus.settings import SimulatorSettings


def create_app(settings: SimulatorSettings, shut_down: Callable[[], None]) -> tuple[ASGIApp, LiveStream]:
    """The simulator as an ASGI application, and its stream; `shut_down` is called for `/v3/terminal/shutdown`.

    Both must be served by `simulator.server`, which lets the application break connections.
    """
    stocks, options = _sources(settings)
    clock, faults, log = Clock(settings.sim_clock), Faults(), RequestLog()
    slots = Slots(CONCURRENT[settings.sim_tier], settings.sim_queue_length)
    stream = LiveStream(settings, (stocks, options), clock, faults, log)
    terminal = Terminal(
        account=Account(settings.sim_tier),
        slots=slots,
        faults=faults,
        log=log,
        lists=Reference(stocks, clock).endpoints | OptionLists(options, clock).endpoints,
        histories={**StockHistories(stocks, clock).endpoints, **OptionHistories(options, clock).endpoints},
        limited_by_tier=stocks.limited_by_tier,
        fpss_status=lambda: stream.link.word,
        shut_down=shut_down,
    )
    controls = control(terminal, slots, faults, clock, log, stream)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        to_controls = scope["type"] != "http" or scope["path"].startswith("/__")
        await (controls if to_controls else terminal)(scope, receive, send)

    return app, stream


def _sources(settings: SimulatorSettings) -> tuple[Source, OptionSource]:
    if settings.sim_recordings:
        return Recordings(settings.sim_recordings), OptionRecordings(settings.sim_recordings)
    synthetic = Synthetic()
    return synthetic, SyntheticOptions(synthetic)
