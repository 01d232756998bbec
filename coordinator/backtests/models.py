"""What a user submits, and what it means in tasks."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from coordinator.durations import Ttl
from coordinator.selections import Asked, Part, Selection, StockSelection, few_enough
from stoculus import topics
from stoculus.calendar import Session
from stoculus.errors import InvalidRequest
from stoculus.records.catalog import Asset
from stoculus.selection import Day
from stoculus.tasks import BacktestId, OptionTask, StockTask


class Submission(BaseModel):
    """A backtest as submitted. Days are New York days, both included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "backtest_id": "42",
                "start": "2024-01-02",
                "end": "2024-01-05",
                "data": [
                    {"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv", "interval": "1m"},
                    {
                        "asset": "option",
                        "root": "SPXW",
                        "schema": "quote",
                        "interval": "1m",
                        "expirations": ["2024-01-05"],
                        "strikes": {"min": 4600, "max": 4800},
                    },
                ],
            }
        },
    )

    backtest_id: BacktestId | None = Field(
        default=None,
        description="a-z, 0-9, _ and -; the same body again is the same backtest; none: a new one each time",
    )
    start: Day
    end: Day
    session: Session = "regular"
    keep_empty_bars: StrictBool = False
    ttl: Ttl | None = Field(default=None, description="its topics are deleted this long after the submission: 12h, 7d")
    data: list[Selection] = Field(min_length=1)

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        if self.backtest_id is not None:
            topics.backtest_id(self.backtest_id)
        few_enough(sum(len(list(selection.parts())) for selection in self.data), "data")
        return self

    def canonical(self) -> dict[str, Any]:
        """The request as JSON, in the one form that equal requests share; without its id."""
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"backtest_id", "data"})
        return body | {"data": [selection.canonical() for selection in self.data]}


Task = StockTask | OptionTask


@dataclass(frozen=True, slots=True)
class Planned(Asked):
    """A task of a backtest, and which part of which selection of the request asked for it."""

    task: Task

    @property
    def topic(self) -> str:
        return self.task.task_id

    @property
    def asset(self) -> Asset:
        return "stock" if isinstance(self.task, StockTask) else "option"


def plan(submission: Submission, backtest_id: str) -> list[Planned]:
    """The tasks of a backtest in the request's order; raise InvalidRequest where two would share a topic."""
    planned: dict[str, Planned] = {}
    for i, selection in enumerate(submission.data):
        for part in selection.parts():
            one = Planned(f"data[{i}]", part, _task(submission, selection, part, backtest_id))
            if first := planned.get(one.topic):
                raise InvalidRequest(
                    f"{first.field} and {one.field} would share the topic {one.topic}.",
                    remedy="Name each symbol or root once for a schema and interval, or use several backtests.",
                    field=one.field,
                )
            planned[one.topic] = one
    return list(planned.values())


def _task(submission: Submission, selection: Selection, part: Part, backtest_id: str) -> Task:
    kind = StockTask if isinstance(selection, StockSelection) else OptionTask
    return kind.model_validate(
        {
            "backtest_id": backtest_id,
            "start": submission.start,
            "end": submission.end,
            "schema": selection.schema_name,
            "interval": selection.interval,
            "session": submission.session,
            "keep_empty_bars": submission.keep_empty_bars,
            **part.chosen,
        }
    )
