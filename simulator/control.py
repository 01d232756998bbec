"""What a tester turns: faults, the clock, the dialect; and what was asked. Paths begin with `/__`."""

from datetime import datetime
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from simulator.clock import Clock
from simulator.faults import Faults, Rule, Script, StreamAct
from simulator.formats import Dialect
from simulator.requests import RequestLog
from simulator.slots import Slots
from simulator.stream.live import LiveStream
from simulator.stream.requests import Malformed
from simulator.stream.switches import Switches
from simulator.terminal import Terminal


class ClockSetting(BaseModel):
    """The instant from which the clock goes on; without a zone New York's. None: the real time."""

    model_config = ConfigDict(extra="forbid")
    now: datetime | None


def control(
    terminal: Terminal, slots: Slots, faults: Faults, clock: Clock, log: RequestLog, stream: LiveStream
) -> FastAPI:
    """The application behind `/__`; its pages are at `/__docs`."""
    app = FastAPI(title="Stoculus simulator", docs_url="/__docs", openapi_url="/__openapi.json", redoc_url=None)

    @app.post("/__faults", status_code=201)
    async def add_fault(script: Script) -> dict[str, Any]:
        rule = faults.add(script)
        if isinstance(script.fault, StreamAct):
            stream.strike(rule)
        return _shown(rule)

    @app.get("/__faults")
    async def show_faults() -> list[dict[str, Any]]:
        return [_shown(rule) for rule in faults.rules]

    @app.delete("/__faults", status_code=204)
    async def clear_faults() -> None:
        faults.clear()
        stream.mend()

    @app.get("/__clock")
    async def show_clock() -> dict[str, datetime]:
        return {"now": clock.now()}

    @app.post("/__clock")
    async def set_clock(setting: ClockSetting) -> dict[str, datetime]:
        clock.set(setting.now)
        return {"now": clock.now()}

    @app.get("/__requests")
    async def show_requests(path: str | None = None, symbol: str | None = None) -> dict[str, Any]:
        return {**log.shown(path, symbol), "peak_under_way": slots.peak_under_way}

    @app.delete("/__requests", status_code=204)
    async def clear_requests() -> None:
        log.clear()
        slots.peak_under_way = 0

    @app.post("/__dialect")
    async def set_dialect(dialect: Dialect) -> Dialect:
        terminal.dialect = dialect
        return dialect

    @app.get("/__stream")
    async def show_stream() -> dict[str, Any]:
        return stream.shown()

    @app.post("/__tape")
    async def feed_tape(request: Request, over: bool = False) -> dict[str, int]:
        """Send rows now; see `simulator.stream.tape`. The stream's own day is quiet. `over`: no more will come."""
        try:
            told = await stream.tape.feed(await request.body())
        except Malformed as error:
            raise HTTPException(422, error.message) from error
        if over:
            await stream.tape.stop()
        return told

    @app.delete("/__tape", status_code=204)
    async def take_tape_away() -> None:
        """Let the stream's own day go on."""
        await stream.tape.take_away()

    @app.post("/__stream")
    async def set_stream(switches: Switches) -> Switches:
        stream.switches = switches
        return switches

    return app


def _shown(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "seen": rule.seen, "fired": rule.fired, **rule.script.model_dump(mode="json")}
