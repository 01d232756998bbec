"""The stream's server: connections, requests and their answers, STATUS, and the faults that are posted."""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from simulator.clock import Clock
from simulator.faults import (
    Faults,
    Rule,
    StreamBurst,
    StreamDisconnected,
    StreamDrop,
    StreamHalfOpen,
    StreamSilence,
    StreamTick,
)
from simulator.options import OptionSource
from simulator.requests import RequestLog
from simulator.sources import Source
from simulator.stream.clients import Client, Clients
from simulator.stream.feeds import Day
from simulator.stream.frames import frame
from simulator.stream.limits import Word, judged
from simulator.stream.link import Link
from simulator.stream.player import Player
from simulator.stream.requests import Malformed, Request, Stop, read
from simulator.stream.switches import Switches
from simulator.stream.tape import Tape
from stoculus.settings import SimulatorSettings

PATH: Final = "/v1/events"
_BUFFER_BYTES: Final = 512 * 1024
_LOG: Final = logging.getLogger("simulator.stream")


class LiveStream:
    """The terminal's WebSocket. Make it where the event loop runs or will run; `serve` it there."""

    def __init__(
        self,
        settings: SimulatorSettings,
        sources: tuple[Source, OptionSource],
        clock: Clock,
        faults: Faults,
        log: RequestLog,
    ) -> None:
        self._tier = settings.sim_tier
        self._faults = faults
        self._log = log
        self._switches = Switches()
        self._address = ""
        self.link = Link(faults, time.monotonic)
        self._clients = Clients(self.link, time.monotonic)
        at_clock = settings.sim_live_date is None
        symbols = tuple(symbol for symbol in settings.sim_bulk_symbols.split(",") if symbol)
        self._player = Player(
            Day(settings.sim_live_date or clock.now().date(), *sources, symbols),
            1 if at_clock else settings.sim_live_speed,
            self._clients,
            time.monotonic,
            (lambda: _ms_of_day(clock)) if at_clock else None,
        )
        self.tape = Tape(self._player, self._clients)

    @property
    def switches(self) -> Switches:
        return self._switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self._switches = self.link.switches = switches
        self._clients.policy = switches.second_client
        self._player.states = switches.states
        self.tape.renderer.ohlc = switches.ohlc

    def shown(self) -> dict[str, Any]:
        """Where the stream is, for a tester. `ticks_lost` had nobody to take them, or fell to a fault."""
        position = self._player.position_ms
        return {
            "url": self._address,
            "status": self.link.word,
            "day": self._player.day.date,
            "position": None if position is None else str(timedelta(milliseconds=int(position))),
            "clients": len(self._clients),
            "subscriptions": len(self._player.subjects),
            "loading": self._player.loading,
            "ticks_left": self._player.left,
            "ticks_sent": self._clients.ticks_sent,
            "ticks_lost": self._clients.ticks_lost,
            "tape": self.tape.position,
            "switches": self._switches,
        }

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled."""
        host, port = listener.getsockname()[:2]
        self._address = f"ws://{host}:{port}{PATH}"
        # The terminal answers pings and sends none.
        serving = serve(
            self._converse,
            sock=listener,
            process_request=_only_events,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_queue=None,
            write_limit=_BUFFER_BYTES,
            server_header=None,
        )
        async with serving, asyncio.TaskGroup() as tasks:
            for forever in (self._tell_status(), self._player.load(), self._player.play()):
                tasks.create_task(forever)

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(self._switches.status_period_s)
            self._clients.tell(f'{{"header":{{"type":"STATUS","status":"{self.link.word}"}}}}')

    async def _converse(self, connection: ServerConnection) -> None:
        client = self._clients.join(connection)
        try:
            with suppress(ConnectionClosed):  # the client went without a word
                async for text in connection:
                    await self._take(client, text)
        finally:
            self._clients.leave(client)

    async def _take(self, client: Client, text: str | bytes) -> None:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        try:
            request = read(text, strict=self._switches.strict)
        except Malformed as error:
            _LOG.warning("A message is not answered: %s %.200s", error, shown)
            self._log.add("stream", {"message": shown})
            if self._switches.malformed == "close":
                await client.connection.close(1003, "malformed request")
            return
        if isinstance(request, Stop):
            self._log.add("stream", {"message": shown})
            self._player.clear()
            return
        entry = self._log.add("stream", {"symbol": request.subject.root, "message": shown})
        word = entry["status"] = await self._answer(request)
        if self._switches.answer_delay_s:
            await asyncio.sleep(self._switches.answer_delay_s)
        header = f'"type":"REQ_RESPONSE","status":"{self.link.word}","response":"{word}","req_id":{request.req_id}'
        client.send(frame(f'{{"header":{{{header}}}}}'))

    async def _answer(self, request: Request) -> Word:
        subject = request.subject
        if not request.add:
            self._player.remove(subject)
            return "SUBSCRIBED"
        if not await self.link.log_in():
            return "ERROR"
        refused = self._faults.refuse(subject.root)
        if refused:
            return refused.response
        if subject in self._player:
            return "SUBSCRIBED"
        word = judged(self._tier, subject, self._player.held[subject.security, subject.what])
        if word == "SUBSCRIBED":
            self._player.add(subject, ohlc=self._switches.ohlc)
        return word

    def strike(self, rule: Rule) -> None:
        """Do what a fault of the stream says, now."""
        fault, now_s = rule.script.fault, time.monotonic()
        rule.fired += 1
        if isinstance(fault, StreamDrop):
            for client in self._clients:
                client.connection.transport.abort()
        elif isinstance(fault, StreamHalfOpen):
            for client in self._clients:
                if client.listens:
                    client.frozen = True
                    client.connection.transport.pause_reading()
        elif isinstance(fault, StreamSilence):
            self._clients.silent_until_s = now_s + fault.seconds
        elif isinstance(fault, StreamDisconnected):
            self.link.lose(fault.seconds)
            self._forget()
        elif isinstance(fault, StreamBurst):
            self._player.burst = now_s + fault.seconds, fault.factor
        elif isinstance(fault, StreamTick):
            self._clients.repeats += fault.kind == "stream_duplicate"
            self._clients.steps_back += fault.kind == "stream_backward"

    def _forget(self) -> None:
        """Lose the subscriptions that will not come back with the vendor."""
        step = {"all": 0, "half": 2, "none": 1}[self._switches.restored]
        for subject in self._player.subjects[::step] if step else ():
            self._player.remove(subject)

    def mend(self) -> None:
        """End the faults that last; a half-open connection stays as it is."""
        self._clients.silent_until_s = 0.0
        self._clients.repeats = self._clients.steps_back = 0
        self._player.burst = 0.0, 1.0
        self.link.mend()


def _only_events(connection: ServerConnection, request: Handshake) -> Response | None:
    if request.path.partition("?")[0] == PATH:
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, "No implementation for this path\n")


def _ms_of_day(clock: Clock) -> int:
    now = clock.now()
    return ((now.hour * 60 + now.minute) * 60 + now.second) * 1000 + now.microsecond // 1000
