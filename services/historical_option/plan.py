"""From an option task to vendor requests, and what they will cost.

The vendor takes one expiration a request or, for some kinds, all of them; one strike or all; no ranges (rest.md 6).
What a selection leaves out of an answer is filtered here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from statistics import mean
from typing import Final, Literal

from services.kit.chain_selection import check_selection
from services.kit.chains import Chains
from services.kit.planning import ROWS_A_SECOND, SECONDS_A_REQUEST, check_days, check_tier, plan_each, seconds_of
from services.kit.records.option import MAPPINGS
from stoculus.calendar import nearest_trading_days, option_session_hours
from stoculus.instruments import OptionContract
from stoculus.records.catalog import INTERVAL_US, Kind, Schema
from stoculus.selection import AroundSpot, DaysToExpiration
from stoculus.tasks import OptionTask, TaskPlan
from theta_client.client import (
    WILDCARD_KINDS,
    OptionRequest,
    ThetaClient,
    Tier,
    Window,
    plan_option_windows,
)

_BYTES_A_ROW: Final = 110
_SAMPLES: Final = 3
"""Days that an estimate looks at."""

_TYPICAL_STRIKES: Final = 100
_FILLED_BARS: Final = 0.1
"""The share of bars in which something was traded, at the most (rest.md 10.2: 3 % of a SPY chain)."""

FIRST_TIER: Final[dict[Kind, Tier]] = {
    "eod": Tier.FREE,
    "ohlcv": Tier.VALUE,
    "quote": Tier.VALUE,
    "openinterest": Tier.VALUE,
    "greeksall": Tier.PRO,
    "tradegreeks": Tier.PRO,
}
_FIRST_DAY: Final = {
    Tier.FREE: date(2023, 6, 1),
    Tier.VALUE: date(2020, 1, 1),
    Tier.STANDARD: date(2016, 1, 1),
    Tier.PRO: date(2012, 6, 1),
}
"""How far the vendor's option history goes back by tier (rest.md 10.11)."""

_REPORTS: Final[frozenset[Kind]] = frozenset({"eod", "greekseod", "openinterest"})
"""Kinds that may have rows of contracts that nobody quoted or traded."""

_REPORTS_AHEAD: Final = timedelta(days=7)
"""How long before the first quote or trade of an expiration its reports are asked for."""

_MOST_ASKED: Final = 5
"""Named expirations whose first day is asked for one by one; more are looked up in the list of each day."""


def windows_of(task: OptionTask) -> list[Window]:
    """The chunks of a task: a trading day each; up to a year of reports of contracts that are named."""
    endpoint = MAPPINGS[task.record_schema.kind].endpoint
    return plan_option_windows(endpoint, task.symbol, task.start, task.end, task.session, by_day=task.contracts is None)


def vendor_interval(schema: Schema) -> str | None:
    """The interval as the vendor spells it; None where the endpoint has none."""
    return schema.interval or ("tick" if schema.kind == "quote" else None)


def requests_of(task: OptionTask, window: Window, chains: Chains) -> list[OptionRequest]:
    """The vendor requests of one chunk, which together ask for each wanted contract once; none where none exists."""
    schema = task.record_schema
    around = task.strikes.around_spot if isinstance(task.strikes, AroundSpot) else None
    whole = OptionRequest(
        MAPPINGS[schema.kind].endpoint,
        chains.vendor_root(task.symbol, field="root"),
        window,
        right=task.right,
        interval=vendor_interval(schema),
        strike_range=around,
    )
    if task.contracts is not None:
        return _of_named(task, whole, chains)
    expirations = _expirations(task, window.start, chains)
    if not expirations:
        return []
    if whole.kind in WILDCARD_KINDS and _is_cheaper_at_once(task, expirations, window.start, chains):
        dte = task.expirations.dte.max if isinstance(task.expirations, DaysToExpiration) else None
        strike = round(task.strikes[0] * 1000) if isinstance(task.strikes, list) and len(task.strikes) == 1 else None
        return [replace(whole, max_dte=dte, strike_thousandths=strike)]
    return [
        request
        for expiration in expirations
        for request in _of_expiration(replace(whole, expiration=expiration), task, chains)
    ]


def first_expiration(task: OptionTask, day: date) -> date:
    """The earliest expiration that may have rows on a day. Open interest is the evening's, reported the next day."""
    before = nearest_trading_days(day)[0] if task.record_schema.kind == "openinterest" else None
    return before or day


def _of_named(task: OptionTask, whole: OptionRequest, chains: Chains) -> list[OptionRequest]:
    """Requests for contracts named one by one, those of an expiration together."""
    by_expiration: dict[date, list[OptionContract]] = {}
    for contract in task.named:
        if contract.expiration >= first_expiration(task, whole.window.start):
            by_expiration.setdefault(contract.expiration, []).append(contract)
    requests = []
    for expiration, contracts in by_expiration.items():
        rights: dict[int, set[str]] = {}
        for contract in contracts:
            rights.setdefault(contract.strike_thousandths, set()).add(contract.right)
        one = replace(whole, expiration=expiration)
        if _is_cheaper_by_strike(task, expiration, len(rights), chains):
            requests += [
                replace(one, strike_thousandths=strike, right=_right_of(names)) for strike, names in rights.items()
            ]
        else:
            requests.append(replace(one, right=_right_of({contract.right for contract in contracts})))
    return requests


def _right_of(names: Iterable[str]) -> Literal["call", "put", "both"]:
    both = set(names)
    return "both" if len(both) > 1 else "call" if "call" in both else "put"


def _expirations(task: OptionTask, day: date, chains: Chains) -> list[date]:
    """The wanted expirations that existed on a day, as far as the vendor's lists tell."""
    root = task.symbol
    first = first_expiration(task, day)
    alive = [one for one in chains.expirations(root) if one >= first and task.has_expiration(one, day)]
    is_report = task.record_schema.kind in _REPORTS
    if isinstance(task.expirations, list) and (is_report or len(alive) <= _MOST_ASKED or not chains.lists_contracts):
        slack = _REPORTS_AHEAD if is_report else timedelta(0)
        return [one for one in alive if (chains.first_day(root, one) or day) - slack <= day]
    if is_report or not chains.lists_contracts:
        return alive
    listed = {contract.expiration for contract in chains.contracts(root, day)}
    return [one for one in alive if one in listed]


def _is_cheaper_at_once(task: OptionTask, expirations: list[date], day: date, chains: Chains) -> bool:
    """Whether one request for all expirations costs less than one for each wanted one."""
    if task.expirations == "all" or len(expirations) == 1:
        return task.expirations == "all"
    last = day + timedelta(days=task.expirations.dte.max) if isinstance(task.expirations, DaysToExpiration) else None
    contracts = chains.contracts(task.symbol, day) if chains.lists_contracts else []
    listed = Counter(contract.expiration for contract in contracts)
    at_once = sum(count for expiration, count in listed.items() if last is None or expiration <= last)
    wanted = sum(listed[expiration] for expiration in expirations)
    rows = _rows_of_contract(task)
    each = len(expirations) * SECONDS_A_REQUEST + wanted * rows / ROWS_A_SECOND
    return SECONDS_A_REQUEST + at_once * rows / ROWS_A_SECOND < each


def _of_expiration(whole: OptionRequest, task: OptionTask, chains: Chains) -> list[OptionRequest]:
    """The requests for one expiration: a strike each, or the whole of it."""
    if task.strikes == "all" or isinstance(task.strikes, AroundSpot) or whole.expiration is None:
        return [whole]
    strikes = [strike for strike in chains.strikes(task.symbol, whole.expiration) if task.has_strike(strike)]
    if not _is_cheaper_by_strike(task, whole.expiration, len(strikes), chains):
        return [whole]
    return [replace(whole, strike_thousandths=strike) for strike in strikes]


def _is_cheaper_by_strike(task: OptionTask, expiration: date, wanted: int, chains: Chains) -> bool:
    """Whether a request for each wanted strike costs less than one for all strikes of the expiration."""
    rows = _rows_of_contract(task) * len(task.rights)
    all_strikes = len(chains.strikes(task.symbol, expiration))
    each = wanted * (SECONDS_A_REQUEST + rows / ROWS_A_SECOND)
    return each < SECONDS_A_REQUEST + max(all_strikes, wanted) * rows / ROWS_A_SECOND


def _rows_of_contract(task: OptionTask) -> int:
    """Rows that the vendor sends of a contract and day, empty ones among them."""
    schema, mapping = task.record_schema, MAPPINGS[task.record_schema.kind]
    if schema.interval is None:
        return mapping.typical_rows_a_day
    low, high = option_session_hours(task.symbol, windows_of(task)[0].start, task.session)
    minutes = (high.hour - low.hour) * 60 + high.minute - low.minute
    return minutes * 60_000_000 // INTERVAL_US[schema.interval] + 1


class OptionPlanner:
    """Checks option tasks before they run."""

    def __init__(self, client: ThetaClient, chains: Chains, now: Callable[[], datetime]) -> None:
        self._client = client
        self._chains = chains
        self._now = now

    def check_days(self, task: OptionTask) -> None:
        """See Planner."""
        check_days(task, self._now())

    def plan(self, tasks: Sequence[OptionTask]) -> list[TaskPlan]:
        """See Planner."""
        return plan_each(tasks, self._client, self._now, self._plan)

    def _plan(self, task: OptionTask) -> TaskPlan:
        self._chains.vendor_root(task.symbol, field="root")
        check_tier(task, self._client.tier, FIRST_TIER, _FIRST_DAY, "option")
        check_selection(task, task.symbol, task.start, task.end, self._chains)
        windows = windows_of(task)
        step = max(1, (len(windows) - 1) // (_SAMPLES - 1))
        sampled = [requests_of(task, window, self._chains) for window in windows[::step]]
        contracts = [self._contracts(task, window) for window in windows[::step]]
        requests = round(mean(len(some) for some in sampled) * len(windows))
        sent = round(mean(contracts) * _rows_of_contract(task) * len([day for w in windows for day in w.days]))
        is_bars = task.record_schema.kind == "ohlcv" and not task.keep_empty_bars
        rows = round(sent * _FILLED_BARS) if is_bars else sent
        return TaskPlan(
            task_id=task.task_id,
            requests=requests,
            rows=rows,
            bytes=rows * _BYTES_A_ROW,
            seconds=seconds_of(requests, sent, self._client.tier),
            warnings=["The number of rows is a guess."],
            notes=_notes(task, max(sampled, key=len, default=[])),
        )

    def _contracts(self, task: OptionTask, window: Window) -> int:
        """Wanted contracts on the first day of a window."""
        day = window.start
        if task.contracts is not None:
            return sum(contract.expiration >= day for contract in task.named)
        if isinstance(task.strikes, AroundSpot):
            strikes = 2 * task.strikes.around_spot + 1
            return len(_expirations(task, day, self._chains)) * strikes * len(task.rights)
        if self._chains.lists_contracts:
            return sum(task.has(contract, day) for contract in self._chains.contracts(task.symbol, day))
        return len(_expirations(task, day, self._chains)) * _TYPICAL_STRIKES * len(task.rights)


def _notes(task: OptionTask, requests: list[OptionRequest]) -> list[str]:
    """How the vendor will be asked, in words."""
    if not requests:
        return ["No contract of the selection is listed on the days looked at."]
    first = requests[0]
    each = "expiration" if first.strike_thousandths is None else "strike"
    how = "for all expirations at once" if first.expiration is None else f"one for each {each}"
    if first.strike_range is not None:
        kept = f"the vendor picks {first.strike_range} strikes above and below the spot"
    elif first.strike_thousandths is None and task.strikes != "all":
        kept = "other strikes of the answer are left out here"
    else:
        kept = ""
    span = "a day" if len(first.window.days) == 1 else "a year"
    return ["; ".join(filter(None, (f"Requests {span}: {len(requests)}, {how}", kept))) + "."]
