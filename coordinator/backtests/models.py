"""What a user submits, and what it means in tasks."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, field_validator, model_validator

from services.kit.app import Located
from stoculus import topics
from stoculus.calendar import Session
from stoculus.errors import InvalidRequest
from stoculus.instruments import Stock
from stoculus.records.catalog import parse_schema
from stoculus.tasks import BacktestId, StockTask

MAX_TOPICS: Final = 1000

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TTL = re.compile(r"(\d{1,8})([smhdw])")
_TTL_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _day(value: Any) -> Any:
    # pydantic takes numbers for seconds since 1970: 20240102 would become a day of 1970.
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("a day is written as 2024-01-02")


def _ttl(value: Any) -> Any:
    if isinstance(value, str) and (match := _TTL.fullmatch(value)):
        return timedelta(**{_TTL_UNITS[match[2]]: int(match[1])})
    if isinstance(value, str) and value.startswith("P"):
        return value
    raise ValueError("a duration is written as 30m, 12h, 7d, 4w or P7DT12H")


Day = Annotated[date, BeforeValidator(_day)]
Ttl = Annotated[timedelta, BeforeValidator(_ttl), Field(gt=timedelta(0), le=timedelta(days=36500))]


class StockSelection(BaseModel):
    """Stocks with one schema: a topic for each symbol. `schema` and `interval` are kept apart: `ohlcv`, `1m`."""

    model_config = ConfigDict(extra="forbid")

    asset: Literal["stock"]
    symbols: list[str] = Field(min_length=1)
    schema_name: str = Field(alias="schema", description="ohlcv, quote, trade, tradequote or eod")
    interval: str | None = Field(default=None, description="ohlcv and quote: 10ms … 1h; a quote without one is a tick")

    @model_validator(mode="before")
    @classmethod
    def _asset(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("asset") == "option":
            raise InvalidRequest("Options are not served yet.", remedy="Ask for stocks.", field="asset")
        return value

    @field_validator("symbols")
    @classmethod
    def _tickers(cls, symbols: list[str]) -> list[str]:
        _few_enough(len(symbols), "symbols")
        return [Stock.parse(symbol, field=f"symbols[{n}]").ticker for n, symbol in enumerate(symbols)]

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        schema = parse_schema(self.schema_name, self.interval)
        self.schema_name, self.interval = schema.kind, schema.interval
        return self


class Submission(BaseModel):
    """A backtest as submitted. Days are New York days, both included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "backtest_id": "42",
                "start": "2024-01-02",
                "end": "2024-01-05",
                "data": [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv", "interval": "1m"}],
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
    data: list[Annotated[StockSelection, Located]] = Field(min_length=1)

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        if self.backtest_id is not None:
            topics.backtest_id(self.backtest_id)
        _few_enough(sum(len(selection.symbols) for selection in self.data), "data")
        return self

    def canonical(self) -> dict[str, Any]:
        """The request as JSON, in the one form that equal requests share; without its id."""
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"backtest_id"})
        for selection in body["data"]:
            selection["symbols"].sort()
        return body


@dataclass(frozen=True, slots=True)
class Planned:
    """A task of a backtest, and the field of the request that asked for it."""

    task: StockTask
    field: str

    @property
    def topic(self) -> str:
        return self.task.task_id


def plan(submission: Submission, backtest_id: str) -> list[Planned]:
    """The tasks of a backtest in the request's order; raise InvalidRequest where two would share a topic."""
    planned: dict[str, Planned] = {}
    for i, selection in enumerate(submission.data):
        for j, symbol in enumerate(selection.symbols):
            task = _task(submission, selection, symbol, backtest_id)
            topic, field = task.task_id, f"data[{i}].symbols[{j}]"
            if topic in planned:
                raise InvalidRequest(
                    f"{planned[topic].field} and {field} would share the topic {topic}.",
                    remedy="Name each symbol once for a schema and interval.",
                    field=field,
                )
            planned[topic] = Planned(task, field)
    return list(planned.values())


def _task(submission: Submission, selection: StockSelection, symbol: str, backtest_id: str) -> StockTask:
    return StockTask(
        backtest_id=backtest_id,
        ticker=symbol,
        start=submission.start,
        end=submission.end,
        schema=selection.schema_name,
        interval=selection.interval,
        session=submission.session,
        keep_empty_bars=submission.keep_empty_bars,
    )


def _few_enough(count: int, field: str) -> None:
    if count > MAX_TOPICS:
        raise InvalidRequest(
            f"{count} symbols are {count} topics; a backtest has at most {MAX_TOPICS}.",
            remedy="Split the request into several backtests.",
            field=field,
        )


def differences(stored: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    """What differs between two canonical requests: a sentence for each JSON path."""
    left, right = _flat(stored), _flat(given)
    return {
        path: f"{path} is {_show(left.get(path))} in the stored request and {_show(right.get(path))} in this one."
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    }


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {p: v for key, inner in value.items() for p, v in _flat(inner, f"{path}.{key}".lstrip(".")).items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {p: v for n, inner in enumerate(value) for p, v in _flat(inner, f"{path}[{n}]").items()}
    return {path: value}


def _show(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
