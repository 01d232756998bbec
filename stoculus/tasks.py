"""A task: one topic of one backtest, the unit that a service runs. Its id is the topic's name."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stoculus import topics
from stoculus.calendar import Session
from stoculus.instruments import Stock, parse_root
from stoculus.records.catalog import Schema, parse_schema
from stoculus.selection import ChainSelection, Day

BacktestId = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class HistoricalTask(BaseModel):
    """What a service needs to know of any task of a backtest.

    `start` and `end` are New York days, both included. `attempt` is raised by each `:retry`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backtest_id: BacktestId
    start: Day
    end: Day
    schema_name: str = Field(default="ohlcv", alias="schema")
    interval: str | None = None
    session: Session = "regular"
    keep_empty_bars: bool = False
    max_bad_rows: int = Field(default=0, ge=0)
    attempt: int = Field(default=1, ge=1)

    @property
    def symbol(self) -> str:
        """The ticker or root that the topic is named after."""
        raise NotImplementedError

    @property
    def record_schema(self) -> Schema:
        raise NotImplementedError

    @property
    def task_id(self) -> str:
        """The task's id: its topic."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _names_a_topic(self) -> Self:
        topics.backtest_id(self.backtest_id)
        _ = self.task_id
        return self


class StockTask(HistoricalTask):
    """A stock with one schema. `{"backtest_id", "ticker", "start", "end"}` is enough."""

    ticker: str

    @property
    def symbol(self) -> str:
        return self.stock.ticker

    @property
    def stock(self) -> Stock:
        return Stock.parse(self.ticker, field="ticker")

    @property
    def record_schema(self) -> Schema:
        return parse_schema(self.schema_name, self.interval)

    @property
    def task_id(self) -> str:
        return topics.stock_historical(self.stock, self.record_schema.name, self.backtest_id)


class OptionTask(HistoricalTask, ChainSelection):
    """Contracts of one root with one schema. `{"backtest_id", "root", "expirations", "start", "end"}` is enough."""

    root: str

    @property
    def symbol(self) -> str:
        return parse_root(self.root)

    @property
    def record_schema(self) -> Schema:
        return parse_schema(self.schema_name, self.interval, asset="option")

    @property
    def task_id(self) -> str:
        return topics.option_historical(self.symbol, self.record_schema.name, self.backtest_id)

    @model_validator(mode="after")
    def _of_one_root(self) -> Self:
        self.check_root(self.symbol)
        return self


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
    notes: list[str] = Field(default_factory=list, description="how the vendor will be asked, where there is a choice")
