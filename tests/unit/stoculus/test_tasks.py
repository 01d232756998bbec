from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from stoculus.errors import InvalidRequest
from stoculus.tasks import StockTask

SHORTEST: dict[str, Any] = {"backtest_id": "42", "ticker": "AAPL", "start": "2024-01-02", "end": "2024-01-05"}


def task(**changes: Any) -> StockTask:
    return StockTask.model_validate(SHORTEST | changes)


def test_id_ticker_and_days_are_enough() -> None:
    assert task().task_id == "stock-aapl-ohlcv1m-historical-42"
    assert task().start == date(2024, 1, 2)
    assert (task().session, task().max_bad_rows, task().attempt) == ("regular", 0, 1)


def test_an_integer_is_an_id_but_a_truth_value_is_none() -> None:
    assert task(backtest_id=42).task_id == task().task_id
    with pytest.raises(ValidationError):
        task(backtest_id=True)


def test_the_schema_is_read_under_its_public_name() -> None:
    assert task(schema="quote", interval="1m").task_id == "stock-aapl-quote1m-historical-42"
    with pytest.raises(ValidationError):
        task(schema_name="quote")


@pytest.mark.parametrize(
    "wrong",
    [{"foo": 1}, {"session": "night"}, {"start": "yesterday"}, {"attempt": 0}, {"max_bad_rows": -1}],
)
def test_what_a_task_cannot_have_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        task(**wrong)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ticker": "?"}, "ticker"),
        ({"backtest_id": "A"}, "backtest_id"),
        ({"schema": "candles"}, "schema"),
        ({"schema": "quote", "interval": "7m"}, "interval"),
    ],
)
def test_what_is_malformed_is_refused_with_its_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        task(**wrong)

    assert caught.value.field == field
