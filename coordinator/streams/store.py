"""What users asked for in streams, in the database."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import JSON, Column, DateTime, Integer, String, Table

from coordinator.database import METADATA, Database, aware, naive
from coordinator.store import Store
from coordinator.streams.models import StreamSubmission, feeds, spec
from coordinator.streams.states import Wanted
from stoculus.streams import StreamSpec

_STREAMS: Final = Table(
    "streams",
    METADATA,
    Column("stream_id", String(64), primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("request", JSON, nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("version", Integer, nullable=False),
)


@dataclass(frozen=True)
class Stream:
    """A stored stream; `version` counts the changes. One that has stopped is no longer stored, its topics stay."""

    stream_id: str
    created_at: datetime
    submission: StreamSubmission
    wanted: Wanted = Wanted.RUN
    version: int = 1

    @cached_property
    def spec(self) -> StreamSpec:
        """What the live service is told of it."""
        return spec(self.submission, self.stream_id, feeds(self.submission))

    @cached_property
    def topics(self) -> list[str]:
        return self.spec.topics


def stream_store(database: Database) -> Store[Stream]:
    """The table of streams."""
    return Store(database, _STREAMS, "stream", _to_row, _from_row)


def _to_row(stream: Stream) -> dict[str, Any]:
    return {
        "stream_id": stream.stream_id,
        "created_at": naive(stream.created_at),
        "request": stream.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
        "wanted": stream.wanted.value,
        "version": stream.version,
    }


def _from_row(row: dict[str, Any]) -> Stream:
    request, wanted = row.pop("request"), row.pop("wanted")
    row["created_at"] = aware(row["created_at"])
    return Stream(**row, submission=StreamSubmission.model_validate(request), wanted=Wanted(wanted))
