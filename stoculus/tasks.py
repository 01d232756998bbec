"""A task: one topic of one backtest, the unit that a service runs. Its id is the topic's name."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stoculus import topics
from stoculus.calendar import Session
from stoculus.instruments import Stock
from stoculus.records.catalog import Schema, parse_schema

BacktestId = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class StockTask(BaseModel):
    """What a service needs to know of a task. `{"backtest_id", "ticker", "start", "end"}` is enough.

    `start` and `end` are New York days, both included. `attempt` is raised by each `:retry`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backtest_id: BacktestId
    ticker: str
    start: date
    end: date
    schema_name: str = Field(default="ohlcv", alias="schema")
    interval: str | None = None
    session: Session = "regular"
    keep_empty_bars: bool = False
    max_bad_rows: int = Field(default=0, ge=0)
    attempt: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _canonical(self) -> "StockTask":
        topics.backtest_id(self.backtest_id)
        Stock.parse(self.ticker, field="ticker")
        parse_schema(self.schema_name, self.interval)
        return self

    @property
    def stock(self) -> Stock:
        return Stock.parse(self.ticker, field="ticker")

    @property
    def record_schema(self) -> Schema:
        return parse_schema(self.schema_name, self.interval)

    @property
    def task_id(self) -> str:
        """The task's id: its topic."""
        return topics.stock_historical(self.stock, self.record_schema.name, self.backtest_id)


class TaskStatus(BaseModel):
    """What a service says of a task. How far it has come is in the checkpoint topic."""

    task_id: str
    state: Literal["queued", "running", "waiting", "stopping"]
    attempt: int
    reason: str | None = Field(default=None, description="why it waits: the last transient error")


class TaskPlan(BaseModel):
    """What a task will cost, told before it runs."""

    task_id: str
    requests: int = Field(description="requests to the vendor")
    rows: int = Field(description="estimated records")
    bytes: int = Field(description="estimated bytes on the topic")
    seconds: float = Field(description="estimated time at the account's tier")
    warnings: list[str]
