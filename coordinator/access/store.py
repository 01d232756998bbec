"""What is kept of API keys, in the database."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, Column, Date, DateTime, Integer, Interval, String, Table

from coordinator.access.scopes import Scope
from coordinator.database import METADATA, Database, aware, naive
from coordinator.store import Store

_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("shown", String(16), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("lifetime", Interval),
    Column("expires_at", DateTime),
    Column("last_used_on", Date),
    Column("version", Integer, nullable=False),
)


@dataclass(frozen=True)
class Key:
    """A stored key. `digest` is its sha256, `shown` its beginning; the key itself is nowhere.

    `lifetime` is how long it was made for, and so the one it is rotated to; rotation may bring `expires_at` nearer.
    """

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    shown: str
    created_at: datetime
    lifetime: timedelta | None = None
    expires_at: datetime | None = None
    last_used_on: date | None = None
    version: int = 1

    def is_active(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


def key_store(database: Database) -> Store[Key]:
    """The table of keys."""
    return Store(database, _KEYS, "key", _to_row, _from_row)


def _to_row(key: Key) -> dict[str, Any]:
    moments = {"created_at": naive(key.created_at), "expires_at": naive(key.expires_at)}
    return {**vars(key), "scopes": [scope.value for scope in key.scopes], **moments}


def _from_row(row: dict[str, Any]) -> Key:
    moments = {name: aware(row[name]) for name in ("created_at", "expires_at")}
    return Key(**row | moments | {"scopes": tuple(map(Scope, row["scopes"]))})
