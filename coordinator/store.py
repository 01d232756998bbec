"""A table of what users asked for: read whole, changed row by row, each change over the version it was decided on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Table, delete, false, insert, select, update
from sqlalchemy.exc import IntegrityError

from coordinator.database import Database
from stoculus.errors import Conflict


class Row(Protocol):
    """What is stored, a dataclass. `version` counts the changes."""

    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Store(Generic[R]):
    """The rows of a table. Blocking: call it in a thread.

    `what` a row is, `backtest`, is told in errors. The table has the column `version` and its rows' ids in
    `<what>_id`. Every method raises ServiceUnavailable where the database fails.
    """

    database: Database
    table: Table
    what: str
    to_row: Callable[[R], dict[str, Any]]
    from_row: Callable[[dict[str, Any]], R]

    def load(self) -> list[R]:
        """Every row, the oldest first; the table is created where it is missing."""
        self.database.create_tables()
        with self.database.reading() as connection:
            rows = connection.execute(select(self.table).order_by(self.table.c.created_at)).mappings().all()
        return [self.from_row(dict(row)) for row in rows]

    def add(self, row: R) -> None:
        """Store a new row; raise Conflict where its id is taken."""
        with self.database.writing() as connection:
            try:
                connection.execute(insert(self.table).values(**self.to_row(row)))
            except IntegrityError as error:
                raise Conflict(
                    f"The {self.what} id {self.id_of(row)} was taken meanwhile.",
                    remedy="Submit again.",
                    field=f"{self.what}_id",
                ) from error

    def change(self, old: R, **changes: Any) -> R:
        """Write changes over exactly this version; raise Conflict where it has changed meanwhile."""
        new: R = replace(old, **changes, version=old.version + 1)  # type: ignore[type-var]  # a dataclass
        with self.database.writing() as connection:
            written = connection.execute(update(self.table).where(self._is(old)).values(**self.to_row(new))).rowcount
        self._require(written, old)
        return new

    def remove(self, old: R) -> None:
        """Delete exactly this version; raise Conflict where it has changed meanwhile."""
        with self.database.writing() as connection:
            written = connection.execute(delete(self.table).where(self._is(old))).rowcount
        self._require(written, old)

    def check(self) -> None:
        """Raise where nothing can be written; changes nothing."""
        with self.database.writing() as connection:
            connection.execute(update(self.table).where(false()).values(version=self.table.c.version))

    def id_of(self, row: R) -> str:
        return str(getattr(row, f"{self.what}_id"))

    def _is(self, row: R) -> ColumnElement[bool]:
        columns = self.table.c
        return (columns[f"{self.what}_id"] == self.id_of(row)) & (columns.version == row.version)

    def _require(self, written: int, row: R) -> None:
        if not written:
            raise Conflict(
                f"{self.what.capitalize()} {self.id_of(row)} was changed by someone else at the same time.",
                remedy="Retry.",
            )
