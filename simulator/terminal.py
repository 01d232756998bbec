"""The terminal's HTTP side: one request from its query to its answer."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from simulator.damage import damage_column, damage_row
from simulator.endpoints import HistoryEndpoint, List
from simulator.faults import AnotherLogin, Column, Fault, Faults, Instead, Row, Status
from simulator.formats import MEDIA_TYPES, Bytes, Dialect, document, render
from simulator.parameters import Query, day, output_format, refuse_v2_names
from simulator.refusal import JETTY_ERROR_PAGE, NO_DATA_TEXT, SESSION_TAKEN_TEXT, Refusal, no_data
from simulator.requests import RequestLog
from simulator.slots import Slots
from simulator.tiers import Account
from simulator.wire import Answer, send_answer


class Terminal:
    """An ASGI application that answers `/v3/…` as the Theta Terminal does."""

    def __init__(
        self,
        *,
        account: Account,
        slots: Slots,
        faults: Faults,
        log: RequestLog,
        lists: Mapping[str, List],
        histories: Mapping[str, HistoryEndpoint[Any]],
        limited_by_tier: bool,
        fpss_status: Callable[[], str],
        shut_down: Callable[[], None],
    ) -> None:
        self.dialect = Dialect()
        self._account = account
        self._slots = slots
        self._faults = faults
        self._log = log
        self._lists = lists
        self._histories = histories
        self._limited_by_tier = limited_by_tier
        self._fpss_status = fpss_status
        self._shut_down = shut_down

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        transport = scope["extensions"]["simulator.transport"]
        query = QueryParams(scope["query_string"])
        version, _, path = scope["path"].lstrip("/").partition("/")
        path = path.rstrip("/")
        entry = self._log.add(path if version == "v3" else scope["path"], query)
        try:
            if version != "v3" or scope["method"] != "GET":
                raise _wrong_door(version, scope["method"])
            await self._answer(path, query, send, transport, entry)
        except Refusal as refusal:
            entry["status"] = refusal.status
            await send_answer(send, _refused(refusal.status, refusal.body), None, transport)

    async def _answer(
        self, path: str, query: Query, send: Send, transport: asyncio.Transport, entry: dict[str, Any]
    ) -> None:
        fault = self._faults.strike(path, query)
        if isinstance(fault, Status):
            raise Refusal(fault.status, fault.body)
        if path.startswith("terminal/"):
            entry["status"] = 200
            await send_answer(send, self._system(path), fault, transport)
            return
        if isinstance(fault, AnotherLogin) or self._faults.session_taken:
            raise Refusal(478, SESSION_TAKEN_TEXT)
        async with self._slots.taken():
            answer = await to_thread.run_sync(partial(self._data, path, query, fault))
            entry["status"] = answer.status
            await send_answer(send, answer, fault, transport)

    def _system(self, path: str) -> Answer:
        if path == "terminal/mdds/status":
            return Answer.text(200, "UNVERIFIED" if self._faults.session_taken else "CONNECTED")
        if path == "terminal/fpss/status":
            return Answer.text(200, self._fpss_status())
        if path == "terminal/shutdown":
            self._shut_down()
            return Answer.text(200, "OK")
        raise Refusal(404)

    def _data(self, path: str, query: Query, fault: Fault | None) -> Answer:
        refuse_v2_names(query)
        if isinstance(fault, Instead):
            return _instead(fault)
        media_type = MEDIA_TYPES[output_format(query)]
        body = self._history(path, query) if path in self._histories else self._rows(path, query)
        if isinstance(fault, Row | Column) and output_format(query) == "csv":
            whole = b"".join(body)
            body = iter((damage_row(whole, fault) if isinstance(fault, Row) else damage_column(whole, fault),))
        return Answer(200, media_type, body)

    def _history(self, path: str, query: Query) -> Iterator[Bytes]:
        endpoint = self._histories[path]
        request = endpoint.read(query)
        self._account.check_path(path)
        if self._limited_by_tier:
            if endpoint.at_interval:
                self._account.check_interval(request.interval_ms, path)
            self._account.check_depth(request.start, path)
        runs = endpoint.runs(request, self.dialect)
        first = next(runs, None)
        if first is None:
            raise no_data(request.symbol)
        return document(request.format, endpoint.columns, chain([first], runs))

    def _rows(self, path: str, query: Query) -> Iterator[Bytes]:
        endpoint = self._lists.get(path)
        if endpoint is None:
            raise Refusal(404)
        form = output_format(query)
        self._account.check_path(path)
        if self._limited_by_tier and path.startswith("option/list/contracts/"):
            self._account.check_depth(day(query, "date"), path)
        columns, block = endpoint(query)
        if not block or not len(block[0]):
            raise no_data(query.get("symbol", ""))
        return document(form, columns, iter((render(form, columns, block, self.dialect),)))


def _wrong_door(version: str, method: str) -> Refusal:
    if version == "v2":
        return Refusal(410, "API v2 is gone. Please use API v3: https://docs.thetadata.us/")
    return Refusal(404) if method == "GET" else Refusal(405, "Method not allowed")


def _refused(status: int, body: str) -> Answer:
    return Answer.text(status, body, "text/html" if body == JETTY_ERROR_PAGE else "text/plain")


def _instead(fault: Instead) -> Answer:
    if fault.kind == "empty_200":
        return Answer(200, MEDIA_TYPES["csv"])
    if fault.kind == "html_200":
        return Answer.text(200, JETTY_ERROR_PAGE, MEDIA_TYPES["html"])
    return Answer.text(200, NO_DATA_TEXT)
