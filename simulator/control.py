"""What a tester turns: faults, the clock, the dialect; and what was asked. Paths begin with `/__`."""

from datetime import datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from simulator.clock import Clock
from simulator.faults import Faults, Rule, Script
from simulator.formats import Dialect
from simulator.requests import RequestLog
from simulator.slots import Slots
from simulator.terminal import Terminal


class ClockSetting(BaseModel):
    """The instant from which the clock goes on; without a zone New York's. None: the real time."""

    model_config = ConfigDict(extra="forbid")
    now: datetime | None


def control(terminal: Terminal, slots: Slots, faults: Faults, clock: Clock, log: RequestLog) -> FastAPI:
    """The application behind `/__`; its pages are at `/__docs`."""
    app = FastAPI(title="Stoculus simulator", docs_url="/__docs", openapi_url="/__openapi.json", redoc_url=None)

    @app.post("/__faults", status_code=201)
    async def add_fault(script: Script) -> dict[str, Any]:
        return _shown(faults.add(script))

    @app.get("/__faults")
    async def show_faults() -> list[dict[str, Any]]:
        return [_shown(rule) for rule in faults.rules]

    @app.delete("/__faults", status_code=204)
    async def clear_faults() -> None:
        faults.clear()

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

    return app


def _shown(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "seen": rule.seen, "fired": rule.fired, **rule.script.model_dump(mode="json")}
