"""What a request means, and how a wrong one is refused."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coordinator.backtests.models import Submission, differences, plan
from coordinator.backtests.selections import MAX_TOPICS
from stoculus.errors import InvalidRequest


def body(**changes: Any) -> dict[str, Any]:
    base = {
        "start": "2024-01-02",
        "end": "2024-01-05",
        "data": [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv", "interval": "1m"}],
    }
    return base | changes


def stocks(*symbols: str, schema: str = "ohlcv", **more: Any) -> dict[str, Any]:
    return {"asset": "stock", "symbols": list(symbols), "schema": schema, **more}


def parse(**changes: Any) -> Submission:
    return Submission.model_validate(body(**changes))


def wrong_field(**changes: Any) -> tuple[str, str]:
    """The JSON path of the first wrong field, and its remedy or message."""
    try:
        plan(parse(**changes), "x")
    except InvalidRequest as error:
        return error.field or "", str(error)
    except ValidationError as error:
        first = error.errors()[0]
        context = first.get("ctx", {})
        path = ".".join(str(part) for part in (*first["loc"], context.get("field")) if part not in (None, ""))
        return path, first["msg"] + str(context.get("remedy", ""))
    raise AssertionError("not refused")


def test_topics_stand_in_the_order_of_the_request() -> None:
    planned = plan(parse(data=[stocks("MSFT", "brk/b"), stocks("MSFT", schema="quote")]), "42")

    assert [p.topic for p in planned] == [
        "stock-msft-ohlcv1m-historical-42",
        "stock-brk.b-ohlcv1m-historical-42",
        "stock-msft-quote-historical-42",
    ]
    assert [p.field for p in planned] == ["data[0].symbols[0]", "data[0].symbols[1]", "data[1].symbols[0]"]


def test_an_integer_is_an_id() -> None:
    assert parse(backtest_id=42).backtest_id == "42"


@pytest.mark.parametrize("backtest_id", [True, 1.5, ["a"], {}])
def test_other_json_is_no_id(backtest_id: Any) -> None:
    assert wrong_field(backtest_id=backtest_id)[0] == "backtest_id"


@pytest.mark.parametrize("backtest_id", ["", "A", "a.b", "a b", "x" * 65, "my-quarantine", "ä"])
def test_an_id_that_kafka_could_not_hold_is_refused(backtest_id: str) -> None:
    assert wrong_field(backtest_id=backtest_id)[0] == "backtest_id"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ([], "data"),
        ([stocks()], "data.0.symbols"),
        ([{"asset": "stock", "schema": "quote"}], "data.0.symbols"),
        ([stocks("AAPL", "A PL")], "data.0.symbols[1]"),
        ([stocks("AAPL", "")], "data.0.symbols[1]"),
        ([stocks("AAPL", schema="ohlvc")], "data.0.schema"),
        ([stocks("AAPL", schema="trade", interval="1m")], "data.0.interval"),
        ([stocks("AAPL", interval="7m")], "data.0.interval"),
        ([stocks("AAPL", interval="tick")], "data.0.interval"),
        ([stocks("AAPL"), stocks("MSFT", intervall="1m")], "data.1.intervall"),
        ([stocks("AAPL") | {"asset": "bond"}], "data.0.asset"),
        ([{"asset": "option", "root": "SPXW", "schema": "quote"}], "data.0.expirations"),
        ([{"symbols": ["AAPL"], "schema": "quote"}], "data.0.asset"),
        (["AAPL"], "data.0"),
    ],
)
def test_a_wrong_selection_is_named_by_its_path(data: Any, field: str) -> None:
    assert wrong_field(data=data)[0] == field


@pytest.mark.parametrize(
    ("data", "first", "second"),
    [
        ([stocks("AAPL", "MSFT", "aapl")], "data[0].symbols[0]", "data[0].symbols[2]"),
        ([stocks("BRK.B"), stocks("brk/b", interval="1m")], "data[0].symbols[0]", "data[1].symbols[0]"),
        ([stocks("AAPL", schema="quote"), stocks("AAPL", schema="quote", interval="tick")], "data[0]", "data[1]"),
    ],
)
def test_selections_that_would_share_a_topic_are_refused_with_both_fields(data: Any, first: str, second: str) -> None:
    field, message = wrong_field(data=data)

    assert field.startswith(second)
    assert first in message


def test_the_same_symbol_in_two_schemas_is_fine() -> None:
    assert len(plan(parse(data=[stocks("AAPL"), stocks("AAPL", interval="5m")]), "x")) == 2


def test_ten_thousand_symbols_are_refused() -> None:
    many = [f"A{n}" for n in range(10_000)]

    assert wrong_field(data=[stocks(*many)])[0] == "data.0.symbols"
    assert str(MAX_TOPICS) in wrong_field(data=[stocks(*many[:600]), stocks(*many[600:1200])])[1]


@pytest.mark.parametrize(
    "day", [20240102, 1704153600, "2024-1-2", "02.01.2024", "2024-01-02T00:00", "2024-02-30", None]
)
def test_only_an_iso_day_is_a_day(day: Any) -> None:
    assert wrong_field(start=day)[0] == "start"


@pytest.mark.parametrize("value", ["yes", 1, "true"])
def test_only_a_boolean_is_a_boolean(value: Any) -> None:
    assert wrong_field(keep_empty_bars=value)[0] == "keep_empty_bars"


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("12h", 12), ("7d", 168), ("1w", 168), ("P1DT12H", 36)])
def test_a_ttl_is_a_duration(text: str, hours: float) -> None:
    assert parse(ttl=text).ttl == timedelta(hours=hours)


@pytest.mark.parametrize("value", [5, "5", "-1d", "0s", "1y", "99999999w", "999999999w", "P", "forever"])
def test_anything_else_is_no_ttl(value: Any) -> None:
    assert wrong_field(ttl=value)[0] == "ttl"


@pytest.mark.parametrize(
    "data",
    [
        [stocks("MSFT", "AAPL")],
        [stocks("aapl", "msft", schema="OHLCV")],
        [stocks("AAPL", "MSFT", schema="ohlcv1m")],
        [stocks("AAPL", "MSFT", schema="ohlcv1m", interval="1m")],
    ],
)
def test_equal_requests_have_one_canonical_form(data: Any) -> None:
    assert differences(parse().canonical(), parse(data=data, session="regular").canonical()) == {}


def test_every_difference_is_named() -> None:
    other = parse(end="2024-01-08", data=[stocks("AAPL"), stocks("TSLA", schema="quote")], ttl="1d")

    found = differences(parse().canonical(), other.canonical())

    assert list(found) == ["data[0].symbols", "data[1].asset", "data[1].schema", "data[1].symbols", "end", "ttl"]
    assert "'2024-01-05' in the stored request and '2024-01-08' in this one" in found["end"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_json_is_either_a_request_or_refused(value: Any) -> None:
    for candidate in (value, body(data=value), body(start=value), body(data=[stocks("AAPL") | {"symbols": value}])):
        try:
            plan(Submission.model_validate(candidate), "x")
        except (InvalidRequest, ValidationError):
            continue


def test_a_stored_request_reads_back_the_same() -> None:
    first = parse(ttl="7d", backtest_id="42", session="extended")

    again = Submission.model_validate(first.model_dump(mode="json", by_alias=True, exclude_none=True))

    assert again == first
