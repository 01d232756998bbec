"""What users asked for in backtests, in the database."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import JSON, Column, DateTime, Integer, String, Table

from coordinator.backtests.models import Planned, Submission, plan
from coordinator.backtests.states import Wanted
from coordinator.database import METADATA, Database, aware, naive
from coordinator.store import Store

_BACKTESTS: Final = Table(
    "backtests",
    METADATA,
    Column("backtest_id", String(64), primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("request", JSON, nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_bad_rows", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted_at", DateTime),
    Column("purged_at", DateTime),
)


@dataclass(frozen=True)
class Backtest:
    """A stored backtest. `deleted_at`: nobody wants it any more; `purged_at`: its topics are gone. The id stays taken.

    `version` counts the changes: a change is written only over the version that it was decided on.
    """

    backtest_id: str
    created_at: datetime
    submission: Submission
    wanted: Wanted = Wanted.RUN
    attempt: int = 1
    max_bad_rows: int = 0
    version: int = 1
    deleted_at: datetime | None = None
    purged_at: datetime | None = None

    @cached_property
    def planned(self) -> tuple[Planned, ...]:
        """Its tasks, in the request's order."""
        return tuple(plan(self.submission, self.backtest_id))

    @cached_property
    def topics(self) -> list[str]:
        return [one.topic for one in self.planned]

    @property
    def expires_at(self) -> datetime | None:
        return self.created_at + self.submission.ttl if self.submission.ttl else None


def backtest_store(database: Database) -> Store[Backtest]:
    """The table of backtests."""
    return Store(database, _BACKTESTS, "backtest", _to_row, _from_row)


def _to_row(backtest: Backtest) -> dict[str, Any]:
    return {
        "backtest_id": backtest.backtest_id,
        "created_at": naive(backtest.created_at),
        "request": backtest.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
        "wanted": backtest.wanted.value,
        "attempt": backtest.attempt,
        "max_bad_rows": backtest.max_bad_rows,
        "version": backtest.version,
        "deleted_at": naive(backtest.deleted_at),
        "purged_at": naive(backtest.purged_at),
    }


def _from_row(row: dict[str, Any]) -> Backtest:
    request, wanted = row.pop("request"), row.pop("wanted")
    row |= {name: aware(row[name]) for name in ("created_at", "deleted_at", "purged_at")}
    return Backtest(**row, submission=Submission.model_validate(request), wanted=Wanted(wanted))
