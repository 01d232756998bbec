"""The coordinator's database: it holds what users asked for. How far work has come is in Kafka alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from stoculus.errors import ServiceUnavailable, SettingsInvalid

BUSY_TIMEOUT_S: Final = 5
METADATA: Final = MetaData()
"""The tables."""


class Database:
    """The database at a SQLAlchemy URL. Blocking: use it in a thread.

    Every method raises ServiceUnavailable where the database fails; a URL that names none is SettingsInvalid.
    """

    def __init__(self, url: str) -> None:
        self._creating = threading.Lock()
        arguments: dict[str, Any] = {}
        try:
            self._url = make_url(url)
            if self._url.get_backend_name() == "sqlite":
                arguments["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
            self._engine: Engine = create_engine(self._url, **arguments)
        except (SQLAlchemyError, ValueError, ImportError):
            # The cause might quote a password.
            raise SettingsInvalid(
                "STOCULUS_STORE_URL names no database that can be used here.",
                remedy="Write it as sqlite:///var/coordinator.sqlite, or as the URL of a server whose driver is here.",
                field="STOCULUS_STORE_URL",
            ) from None
        if self._url.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _use_write_ahead_log)

    def create_tables(self) -> None:
        """Create the database and the tables that are missing."""
        try:
            with self._creating:
                path = self._url.database if self._url.get_backend_name() == "sqlite" else None
                if path and not path.startswith("file:"):
                    Path(path).parent.mkdir(parents=True, exist_ok=True)
                METADATA.create_all(self._engine)
        except (SQLAlchemyError, OSError) as error:
            raise self._unavailable("read", error) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose changes are thrown away."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._unavailable("read", error) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are kept, if nothing is raised."""
        try:
            with self._engine.begin() as connection:
                yield connection
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


def naive(moment: datetime | None) -> datetime | None:
    """A moment as it is stored. Databases differ in what they do to zones: UTC without one is stored alike by all."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def aware(moment: datetime | None) -> datetime | None:
    """A moment as it was before it was stored."""
    return moment.replace(tzinfo=UTC) if moment else None


def _use_write_ahead_log(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
