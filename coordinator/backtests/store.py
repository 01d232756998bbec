"""What users asked for, in a database. How far work has come is in Kafka alone."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    false,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from coordinator.backtests.models import Planned, Submission, plan
from coordinator.backtests.states import Wanted
from stoculus.errors import Conflict, ServiceUnavailable

BUSY_TIMEOUT_S: Final = 5

_METADATA = MetaData()
_BACKTESTS = Table(
    "backtests",
    _METADATA,
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


class Store:
    """The table of backtests at a SQLAlchemy URL. Blocking: call it in a thread.

    Every method raises ServiceUnavailable where the database fails.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        arguments: dict[str, Any] = {}
        if self._url.get_backend_name() == "sqlite":
            arguments["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
        self._engine: Engine = create_engine(self._url, **arguments)
        if self._url.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _use_write_ahead_log)

    def load(self) -> list[Backtest]:
        """Every backtest ever stored, the oldest first; the table is created where it is missing."""
        try:
            if self._url.get_backend_name() == "sqlite" and self._url.database:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            _METADATA.create_all(self._engine)
            with self._engine.connect() as connection:
                rows = connection.execute(select(_BACKTESTS).order_by(_BACKTESTS.c.created_at)).mappings().all()
        except (SQLAlchemyError, OSError) as error:
            raise self._unavailable("read", error) from error
        return [_from_row(dict(row)) for row in rows]

    def add(self, backtest: Backtest) -> None:
        """Store a new backtest; raise Conflict where its id is taken."""
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_BACKTESTS).values(**_to_row(backtest)))
        except IntegrityError as error:
            raise Conflict(
                f"The backtest id {backtest.backtest_id} was taken meanwhile.",
                remedy="Submit again.",
                field="backtest_id",
            ) from error
        except SQLAlchemyError as error:
            raise self._unavailable("written", error) from error

    def change(self, old: Backtest, **changes: Any) -> Backtest:
        """Write changes over exactly this version; raise Conflict where it has changed meanwhile."""
        new = replace(old, **changes, version=old.version + 1)
        row = _to_row(new)
        of_old = (_BACKTESTS.c.backtest_id == old.backtest_id) & (_BACKTESTS.c.version == old.version)
        try:
            with self._engine.begin() as connection:
                written = connection.execute(update(_BACKTESTS).where(of_old).values(**row)).rowcount
        except SQLAlchemyError as error:
            raise self._unavailable("written", error) from error
        if not written:
            raise Conflict(f"Backtest {old.backtest_id} was changed by someone else at the same time.", remedy="Retry.")
        return new

    def check(self) -> None:
        """Raise where nothing can be written; changes nothing."""
        nothing = update(_BACKTESTS).where(false()).values(version=_BACKTESTS.c.version)
        try:
            with self._engine.connect() as connection:
                connection.execute(nothing)
                connection.rollback()
        except SQLAlchemyError as error:
            raise self._unavailable("written", error) from error

    def close(self) -> None:
        self._engine.dispose()

    def _unavailable(self, verb: str, error: Exception) -> ServiceUnavailable:
        cause = getattr(error, "orig", None) or error
        return ServiceUnavailable(
            f"The store of the coordinator cannot be {verb}: {cause}.",
            remedy=f"Check {self._url.render_as_string()}: that it exists, is intact and may be written.",
        )


def _use_write_ahead_log(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def _to_row(backtest: Backtest) -> dict[str, Any]:
    return {
        "backtest_id": backtest.backtest_id,
        "created_at": _naive(backtest.created_at),
        "request": backtest.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
        "wanted": backtest.wanted.value,
        "attempt": backtest.attempt,
        "max_bad_rows": backtest.max_bad_rows,
        "version": backtest.version,
        "deleted_at": _naive(backtest.deleted_at),
        "purged_at": _naive(backtest.purged_at),
    }


def _from_row(row: dict[str, Any]) -> Backtest:
    request, wanted = row.pop("request"), row.pop("wanted")
    row |= {name: _aware(row[name]) for name in ("created_at", "deleted_at", "purged_at")}
    return Backtest(**row, submission=Submission.model_validate(request), wanted=Wanted(wanted))


def _naive(moment: datetime | None) -> datetime | None:
    """Databases differ in what they do to zones: UTC without one is stored alike by all."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
