"""Checks a task before it runs, and says what it will cost."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, Protocol, TypeVar

from stoculus.calendar import check_known, is_settled, nearest_trading_days, settled_from, trading_days
from stoculus.errors import (
    InvalidRequest,
    StoculusError,
    TierTooLow,
    VendorBodyCut,
    VendorSilent,
    VendorUnreachable,
)
from stoculus.records.catalog import INTERVAL_US, Kind, Schema
from stoculus.tasks import HistoricalTask, TaskPlan
from theta_client.client import ThetaClient, Tier

log = logging.getLogger(__name__)

ROWS_A_SECOND: Final = 150_000
SECONDS_A_REQUEST: Final = 0.5
"""What the vendor was seen to send, and to take before the first byte of an answer."""

AnyTask = TypeVar("AnyTask", bound=HistoricalTask, contravariant=True)


class Planner(Protocol[AnyTask]):
    """What a service knows of its tasks beforehand."""

    def check_days(self, task: AnyTask) -> None:
        """Raise InvalidRequest where the task's days cannot be served."""
        ...

    def plan(self, tasks: Sequence[AnyTask]) -> list[TaskPlan]:
        """An estimate a task; raise InvalidRequest with field `tasks[i].…`, or TierTooLow, or a vendor error."""
        ...


def check_days(task: HistoricalTask, now: datetime) -> None:
    """Raise InvalidRequest where the days are in the wrong order, all closed, or not settled yet."""
    check_known(task.start, field="start")
    check_known(task.end, field="end")
    if task.start > task.end:
        raise InvalidRequest(f"start {task.start} is after end {task.end}.", remedy="Swap them.", field="start")
    if not is_settled(task.end, now):
        raise InvalidRequest(
            f"The vendor's history of {task.end} is complete from {settled_from(task.end).isoformat()} on.",
            remedy="End on an earlier day, or ask again then.",
            field="end",
        )
    if not trading_days(task.start, task.end):
        before, after = nearest_trading_days(task.start)
        raise InvalidRequest(
            f"The market was closed from {task.start} to {task.end}.",
            remedy=f"The nearest trading days are {before} and {after}.",
            field="start",
        )


def plan_each(
    tasks: Sequence[AnyTask],
    client: ThetaClient,
    now: Callable[[], datetime],
    plan: Callable[[AnyTask], TaskPlan],
) -> list[TaskPlan]:
    """A plan a task, its days checked; raise the first error, its field as `tasks[i].…`."""
    require_vendor(client)
    plans = []
    for i, task in enumerate(tasks):
        try:
            check_days(task, now())
            plans.append(plan(task))
        except StoculusError as error:
            if error.field is not None:
                error.field = f"tasks[{i}].{error.field}"
            raise
    return plans


def require_vendor(client: ThetaClient) -> None:
    """Raise where no terminal answers. A list of names may be an hour old and says nothing of now."""
    try:
        client.status()
    except (VendorUnreachable, VendorSilent, VendorBodyCut):
        raise
    except StoculusError as error:  # an answer, whatever it says: what ails the vendor is for the tasks to wait out
        log.info("The terminal has no status: %s", error)


def check_tier(
    task: HistoricalTask, own: Tier, needed: Mapping[Kind, Tier], first_day: Mapping[Tier, date], asset: str
) -> None:
    """Raise TierTooLow where the account's tier may not see the schema or the first day.

    `needed`: the least tier of each kind, STANDARD where it is not named; intervals below a minute count as ticks.
    """
    least = first_tier(task.record_schema, needed)
    if _rank(own) < _rank(least):
        raise _tier_error(f"{task.record_schema.name} of {asset}s", own, least, "schema")
    if task.start < first_day[own]:
        deeper = [tier for tier in Tier if task.start >= first_day[tier]]
        if deeper and _rank(own) < _rank(deeper[0]):
            raise _tier_error(f"{asset.capitalize()} history before {first_day[own]}", own, deeper[0], "start")


def first_tier(schema: Schema, needed: Mapping[Kind, Tier]) -> Tier:
    """The least tier that may see a schema (rest.md 5, 10.11)."""
    least = needed.get(schema.kind, Tier.STANDARD)
    is_tick = schema.kind in ("ohlcv", "quote") and INTERVAL_US.get(schema.interval or "", 0) < INTERVAL_US["1m"]
    return max(least, Tier.STANDARD, key=_rank) if is_tick else least


def seconds_of(requests: int, rows: int, tier: Tier) -> float:
    """The time that so many requests and rows of the vendor take at a tier."""
    return round((requests * SECONDS_A_REQUEST + rows / ROWS_A_SECOND) / tier.concurrency, 1)


def _rank(tier: Tier) -> int:
    return list(Tier).index(tier)


def _tier_error(what: str, own: Tier, needed: Tier, field: str) -> StoculusError:
    return TierTooLow(
        f"{what} needs the vendor's tier {needed.name}; this account has {own.name}.",
        remedy="Ask for less, or set STOCULUS_THETA_TIER if the account has more.",
        field=field,
    )
