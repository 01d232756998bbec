"""The manifest of a backtest as readers see it: the value of `stoculus.backtests`."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from stoculus.errors import InvalidRequest
from stoculus.records.catalog import Schema, asset_of, parse_schema


class TopicEntry(BaseModel):
    """A topic of a backtest as the manifest has it."""

    topic: str
    symbol: str
    schema_name: str = Field(alias="schema")
    record: str = Field(description="full name of the record type")
    feed: str
    records: int = Field(description="records when the manifest was written")
    last_offset: int | None = None

    @property
    def schema_of(self) -> Schema:
        """The schema, which knows its record type and when a record is known."""
        return parse_schema(self.schema_name, asset=asset_of(self.record))


class Manifest(BaseModel):
    """The manifest of a backtest, the value of `stoculus.backtests`. Topics are in the order of the request."""

    backtest_id: str
    state: str
    attempt: int
    request: dict[str, Any]
    topics: list[TopicEntry]

    def chosen(self, names: Sequence[str] | None) -> list[TopicEntry]:
        """The topics of these names, in that order, or all; raise InvalidRequest for a name that is none of them."""
        by_name = {entry.topic: entry for entry in self.topics}
        if unknown := [name for name in names or () if name not in by_name]:
            some = ", ".join(list(by_name)[:5]) + (" …" if len(by_name) > 5 else "")
            raise InvalidRequest(
                f"{unknown[0][:260]!r} is no topic of backtest {self.backtest_id}.",
                remedy=f"Use of {some}.",
                field="topics",
            )
        return [by_name[name] for name in dict.fromkeys(names)] if names is not None else self.topics
