"""What services import: history, lists, calendar and status of one Theta Terminal. Thread-safe, synchronous."""

import os
import random as random_numbers
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Literal, Self, TypeVar

import pyarrow as pa

from stoculus.errors import LargeRequest, NoData, SessionTaken, StoculusError, Transient
from stoculus.instruments import OptionContract
from theta_client.body import read_blocks
from theta_client.lists import CALENDAR_COLUMNS, CalendarDay, calendar_day_of, day_of, parse_list
from theta_client.option_lists import CONTRACT_COLUMNS, contract_reader, expiration_of, strike_of
from theta_client.option_requests import WILDCARD_KINDS, OptionRequest
from theta_client.protocol import EVIDENCE_BYTES, Tier, error_of
from theta_client.requests import HistoryRequest, Request, day_text
from theta_client.session import BUDGETS, Account, Budget
from theta_client.table import BadRow, Block
from theta_client.transport import USER_AGENT, Answer, Cancelled, Transport
from theta_client.windows import Kind, OptionKind, Window, plan_option_windows, plan_windows

__all__ = [
    "WILDCARD_KINDS",
    "BadRow",
    "Block",
    "Budget",
    "CalendarDay",
    "Cancelled",
    "HistoryRequest",
    "Kind",
    "Observe",
    "OptionKind",
    "OptionRequest",
    "Request",
    "ThetaClient",
    "TicksKind",
    "Tier",
    "Window",
    "plan_option_windows",
    "plan_windows",
]  # fmt: skip

Value = TypeVar("Value")
TicksKind = Literal["trade", "quote"]
Observe = Callable[[str, str, float], object]
"""Told of each request that is over: its path, the status of HTTP (where no whole answer came, the code of the error),
and how many seconds it took."""
_NO_ANSWER = "no_answer"
_STATUS_TIMEOUT_S = 5.0
_LIST_TIMEOUT_S = 10.0
_MOST_READERS = 64  # more than any account may have requests under way


class ThetaClient:
    """The v3 REST API of the terminal at `url` (`http://127.0.0.1:25503`).

    `idle_timeout_s` is the longest silence; no request is limited in length. `sleep(seconds, aborted)` must return
    early when `aborted` is set. `observe` is called by the threads that ask. Every method may raise the vendor errors
    of stoculus.errors, and Cancelled. Lists and calendar fail within seconds where the terminal is away or busy; given
    `aborted`, they are as patient as history.
    """

    def __init__(
        self,
        url: str,
        tier: Tier | str,
        *,
        user_agent: str = USER_AGENT,
        connect_timeout_s: float = 5.0,
        idle_timeout_s: float = 300.0,
        budgets: Mapping[type[Transient], Budget] = BUDGETS,
        sleep: Callable[[float, threading.Event], object] = lambda seconds, aborted: aborted.wait(seconds),
        random: Callable[[], float] = random_numbers.random,
        observe: Observe = lambda *_: None,
    ) -> None:
        self._transport = Transport(
            url, connect_timeout_s=connect_timeout_s, idle_timeout_s=idle_timeout_s, user_agent=user_agent
        )
        self._observe = observe
        self._account = Account(Tier(tier), self.status, budgets=budgets, sleep=sleep, random=random)
        self._readers = ThreadPoolExecutor(_MOST_READERS, thread_name_prefix="read")
        # As few as can work at once: each keeps memory that it once had.
        self._parsers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="parse")

    @property
    def tier(self) -> Tier:
        """The account's tier: as set, corrected by what a 403 said."""
        return self._account.tier

    @property
    def session_taken(self) -> SessionTaken | None:
        """Set while another login holds the account: nothing is fetched until the terminal is CONNECTED again."""
        return self._account.taken

    def look_at_session(self) -> None:
        """Ask the terminal whether the account is ours, once and soon."""
        self._account.look(threading.Event())

    @property
    def under_way(self) -> int:
        """Requests under way now, under the account's concurrency."""
        return self._account.under_way

    @property
    def waiting(self) -> int:
        """Requests that wait until they may be sent."""
        return self._account.waiting

    def close(self) -> None:
        """Close the pool's connections."""
        self._transport.close()
        self._readers.shutdown(wait=False)
        self._parsers.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def history(
        self,
        request: Request,
        columns: pa.Schema,
        *,
        block_bytes: int,
        aborted: threading.Event,
        tolerate_cut: bool = False,
    ) -> Iterator[Block]:
        """The rows of a request for history as blocks of at most `block_bytes` of CSV, in the vendor's order.

        `columns` names the columns wanted with their types; times are naive New York wall times. Failures are tried
        again until the first block is out; afterwards a Transient error is raised and the caller resumes. A request
        that is too large (570) is halved; its parts come as one stream with continuous line numbers, in which each
        option contract's rows stay in order.
        """
        pending: list[Request] = [request]
        line, answered = 2, False
        no_data: NoData | None = None
        while pending:
            part = pending.pop()
            read = partial(
                read_blocks,
                columns=columns,
                request=str(part),
                block_bytes=block_bytes,
                readers=self._readers,
                parsers=self._parsers,
                first_line=line,
                tolerate_cut=tolerate_cut,
            )
            try:
                for block in self._account.fetch(partial(self._read, part, read, aborted), aborted):
                    line, answered = block.last_line + 1, True
                    yield block
            except LargeRequest:
                parts = list(part.parts())
                if not parts:
                    raise
                pending.extend(reversed(parts))
            except NoData as error:
                no_data = error
        if no_data is not None and not answered:
            raise no_data

    def _read(
        self, part: Request, read: Callable[[Iterable[bytes]], Iterator[Block]], aborted: threading.Event
    ) -> Iterator[Block]:
        with self._answer(part.path, part.params, str(part), aborted) as answer:
            yield from read(answer.chunks)

    def symbols(self, aborted: threading.Event | None = None) -> frozenset[str]:
        """All stock symbols the vendor knows, as it spells them (`stock/list/symbols`)."""
        return self._symbols("stock/list/symbols", aborted)

    def dates(self, kind: TicksKind, symbol: str, aborted: threading.Event | None = None) -> list[date]:
        """The days for which the vendor lists trades or quotes of a symbol (`stock/list/dates`). Raises NoData."""
        return sorted(self._list(f"stock/list/dates/{kind}", {"symbol": symbol}, ("date",), day_of, aborted))

    def option_roots(self, aborted: threading.Event | None = None) -> frozenset[str]:
        """All option roots the vendor knows, as it spells them (`option/list/symbols`)."""
        return self._symbols("option/list/symbols", aborted)

    def option_expirations(self, root: str, aborted: threading.Event | None = None) -> list[date]:
        """The expirations of a root, ascending (`option/list/expirations`). Raises NoData.

        Those of test contracts that no OSI symbol can hold (years such as 1882) are left out.
        """
        found = self._list("option/list/expirations", {"symbol": root}, ("expiration",), expiration_of, aborted)
        return sorted({expiration for expiration in found if expiration is not None})

    def option_strikes(self, root: str, expiration: date, aborted: threading.Event | None = None) -> list[int]:
        """The strikes of an expiration in thousandths of a dollar, ascending (`option/list/strikes`). Raises NoData."""
        params = {"symbol": root, "expiration": day_text(expiration)}
        found = self._list("option/list/strikes", params, ("strike",), strike_of, aborted)
        return sorted({strike for strike in found if strike is not None})

    def option_contracts(
        self,
        kind: TicksKind,
        root: str,
        day: date,
        max_dte: int | None = None,
        aborted: threading.Event | None = None,
    ) -> list[OptionContract]:
        """The contracts of a root with trades or quotes on a day, sorted (`option/list/contracts`; tier VALUE).

        `max_dte`: calendar days to expiration at most. What no OSI symbol can hold is left out. Raises NoData.
        """
        params = {"symbol": root, "date": day_text(day)} | ({} if max_dte is None else {"max_dte": str(max_dte)})
        path = f"option/list/contracts/{kind}"
        found = self._list(path, params, CONTRACT_COLUMNS, contract_reader(root), aborted)
        return sorted(
            {contract for contract in found if contract is not None},
            key=lambda contract: (contract.expiration, contract.strike_thousandths, contract.right),
        )

    def option_dates(
        self, kind: TicksKind, root: str, expiration: date, aborted: threading.Event | None = None
    ) -> list[date]:
        """The days with trades or quotes of an expiration (`option/list/dates`). Raises NoData."""
        params = {"symbol": root, "expiration": day_text(expiration), "strike": "*", "right": "both"}
        return sorted(self._list(f"option/list/dates/{kind}", params, ("date",), day_of, aborted))

    def calendar_day(self, day: date, aborted: threading.Event | None = None) -> CalendarDay:
        """The vendor's market hours of a day (`calendar/on_date`; tier VALUE)."""
        return self._list("calendar/on_date", {"date": day_text(day)}, CALENDAR_COLUMNS, calendar_day_of, aborted)[0]

    def calendar_today(self, aborted: threading.Event | None = None) -> CalendarDay:
        """The vendor's market hours of today (`calendar/today`)."""
        return self._list("calendar/today", {}, CALENDAR_COLUMNS, calendar_day_of, aborted)[0]

    def year_holidays(self, year: int, aborted: threading.Event | None = None) -> dict[date, CalendarDay]:
        """The closed and half days of a year (`calendar/year_holidays`; tier VALUE)."""
        columns = ("date", *CALENDAR_COLUMNS)
        return dict(
            self._list(
                "calendar/year_holidays",
                {"year": str(year)},
                columns,
                lambda row: (day_of(row), calendar_day_of(row)),
                aborted,
            )
        )

    def status(self, aborted: threading.Event | None = None) -> str:
        """The terminal's status word: CONNECTED, UNVERIFIED, DISCONNECTED or ERROR (`terminal/mdds/status`).

        Asked once, outside of the account's concurrency, with a short time-out.
        """
        path = "terminal/mdds/status"
        with self._answer(path, {}, path, aborted or threading.Event(), idle_timeout_s=_STATUS_TIMEOUT_S) as answer:
            return answer.first_bytes(EVIDENCE_BYTES).decode("utf-8", "replace").strip()

    def _symbols(self, path: str, aborted: threading.Event | None) -> frozenset[str]:
        names = self._list(path, {}, ("symbol",), lambda row: row["symbol"].strip(), aborted)
        return frozenset(filter(None, names))

    def _list(
        self,
        path: str,
        params: dict[str, str],
        columns: Collection[str],
        read_row: Callable[[Mapping[str, str]], Value],
        aborted: threading.Event | None,
    ) -> list[Value]:
        request = " ".join((path, *params.values()))
        hurried, stop = aborted is None, aborted or threading.Event()

        def attempt() -> Iterator[list[Value]]:
            timeout_s = _LIST_TIMEOUT_S if hurried else None
            with self._answer(path, params, request, stop, idle_timeout_s=timeout_s) as answer:
                yield parse_list(b"".join(answer.chunks), columns, read_row, request)

        [values] = self._account.fetch(attempt, stop, hurried=hurried)
        return values

    @contextmanager
    def _answer(
        self,
        path: str,
        params: dict[str, str],
        request: str,
        aborted: threading.Event,
        *,
        idle_timeout_s: float | None = None,
    ) -> Iterator[Answer]:
        begun_s, status = time.perf_counter(), _NO_ANSWER
        try:
            with self._transport.get(path, params, aborted, idle_timeout_s=idle_timeout_s) as answer:
                status = str(answer.status)
                if answer.status != 200:
                    raise error_of(answer.status, answer.first_bytes(EVIDENCE_BYTES), request)
                yield answer
        except (StoculusError, Cancelled) as error:
            if status in (_NO_ANSWER, "200"):
                status = error.code if isinstance(error, StoculusError) else "cancelled"
            raise
        finally:
            self._observe(path, status, time.perf_counter() - begun_s)
