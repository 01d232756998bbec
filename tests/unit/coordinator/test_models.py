"""What a request means, and how a wrong one is refused."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coordinator.backtests.models import Submission, plan
from coordinator.requests import differences
from coordinator.selections import MAX_TOPICS
from stoculus.errors import InvalidRequest
from stoculus.tasks import OptionTask


def body(**changes: Any) -> dict[str, Any]:
    base = {
        "start": "2024-01-02",
        "end": "2024-01-05",
        "data": [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv", "interval": "1m"}],
    }
    return base | changes


def stocks(*symbols: str, schema: str = "ohlcv", **more: Any) -> dict[str, Any]:
    return {"asset": "stock", "symbols": list(symbols), "schema": schema, **more}


def options(**fields: Any) -> dict[str, Any]:
    base = {"asset": "option", "root": "SPXW", "schema": "quote", "interval": "1m", "expirations": "all"}
    return {name: value for name, value in (base | fields).items() if value is not None}


def contracts(*osi: str, **fields: Any) -> dict[str, Any]:
    return options(**{"root": None, "expirations": None, "contracts": list(osi)} | fields)


CALL, PUT, SPX = "SPXW  240105C04700000", "SPXW  240105P04700000", "SPX   240119C04700000"


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


def test_options_stand_beside_stocks_with_a_topic_for_each_root() -> None:
    planned = plan(
        parse(data=[stocks("AAPL"), options(root="spxw"), contracts(PUT, SPX, CALL, PUT, schema="eod", interval=None)]),
        "42",
    )

    assert [(p.topic, p.asset, p.field) for p in planned] == [
        ("stock-aapl-ohlcv1m-historical-42", "stock", "data[0].symbols[0]"),
        ("option-spxw-quote1m-historical-42", "option", "data[1].root"),
        ("option-spxw-eod-historical-42", "option", "data[2].contracts[0]"),
        ("option-spx-eod-historical-42", "option", "data[2].contracts[1]"),
    ]
    assert isinstance(planned[2].task, OptionTask)
    assert (planned[2].task.root, planned[2].task.contracts) == ("SPXW", [CALL, PUT])


def test_a_field_of_a_task_is_told_as_the_field_of_the_request() -> None:
    stock, chain, named, spx = plan(
        parse(data=[stocks("AAPL"), options(), contracts(PUT, SPX, CALL, schema="eod", interval=None)]), "42"
    )

    assert [stock.field_of(f) for f in ("ticker", "start", "schema")] == [
        "data[0].symbols[0]",
        "start",
        "data[0].schema",
    ]
    assert [chain.field_of(f) for f in ("root", "expirations[3]", "expirations.dte.max", "strikes", "interval")] == [
        "data[1].root",
        "data[1].expirations",
        "data[1].expirations.dte.max",
        "data[1].strikes",
        "data[1].interval",
    ]
    assert [named.field_of(f) for f in ("contracts[0]", "contracts[1]", "contracts", "root")] == [
        "data[2].contracts[2]",
        "data[2].contracts[0]",
        "data[2].contracts",
        "data[2].contracts[0]",
    ]
    assert spx.field_of("contracts[0]") == "data[2].contracts[1]"


@pytest.mark.parametrize(
    ("selection", "says"), [(stocks("AAPL", schema="iv"), "tradequote"), (options(schema="ohlvc"), "greeksall")]
)
def test_a_schema_of_another_asset_is_refused_with_those_there_are(selection: dict[str, Any], says: str) -> None:
    field, told = wrong_field(data=[selection])

    assert field == "data.0.schema"
    assert says in told


def test_an_unknown_field_is_told_with_the_nearest_of_its_asset() -> None:
    assert "Did you mean 'root'" in wrong_field(data=[options(roots="SPX")])[1]
    assert "Did you mean 'symbols'" in wrong_field(data=[stocks("AAPL", symbol="A")])[1]
    assert "option selection" in wrong_field(data=[options(symbols=["A"])])[1]


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
        ([{"asset": ["stock"], "schema": "quote"}], "data.0.asset"),
        (["AAPL"], "data.0"),
        ([options(root=None)], "data.0.root"),
        ([options(root="S P")], "data.0.root"),
        ([options(root=5)], "data.0.root"),
        ([options(symbols=["SPXW"])], "data.0.symbols"),
        ([stocks("AAPL", root="AAPL")], "data.0.root"),
        ([stocks("AAPL"), options(expirations=["2024-01-05", "x"])], "data.1.expirations.1"),
        ([options(expirations={"min": "2024-01-05", "max": "2024-01-02"})], "data.0.expirations"),
        ([options(expirations={"dte": {"max": -1}})], "data.0.expirations.dte.max"),
        ([options(strikes=[4700, 0])], "data.0.strikes.1"),
        ([options(strikes={"around": 3})], "data.0.strikes"),
        ([options(right="C")], "data.0.right"),
        ([options(schema="openinterest", interval="1m")], "data.0.interval"),
        ([options(schema="greeksfirst", interval="tick")], "data.0.interval"),
        ([contracts(CALL, "AAPL")], "data.0.contracts.1"),
        ([contracts(CALL, strikes=[4700])], "data.0.strikes"),
        ([options(root="SPX", expirations=None, contracts=[SPX, CALL])], "data.0.contracts[1]"),
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
        ([options(), options(root="spxw", expirations=["2024-01-05"])], "data[0].root", "data[1].root"),
        ([options(root="SPX"), contracts(CALL, SPX)], "data[0].root", "data[1].contracts[1]"),
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (options(root="spxw"), options(schema="quote1m")),
        (options(strikes=[4700, 12.5]), options(strikes=[12.5, 4700.0, 4700])),
        (options(expirations=["2024-01-05", "2024-01-03"]), options(expirations=["2024-01-03", "2024-01-05"])),
        (options(expirations={"dte": {"max": 7}}), options(expirations={"dte": {"min": 0, "max": 7}}, right="both")),
        (options(strikes={"min": 1, "max": 2}), options(strikes={"min": 1.0, "max": 2.0})),
        (contracts(PUT, CALL), contracts(CALL.replace(" ", "").lower(), PUT, PUT)),
        (contracts(PUT), contracts(PUT, root="SPXW")),
    ],
)
def test_equal_option_requests_have_one_canonical_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert parse(data=[one]).canonical() == parse(data=[other]).canonical()


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
    for candidate in (
        value,
        body(data=value),
        body(start=value),
        body(data=[stocks("AAPL") | {"symbols": value}]),
        *(body(data=[options() | {field: value}]) for field in ("asset", "root", "expirations", "contracts")),
    ):
        try:
            plan(Submission.model_validate(candidate), "x")
        except (InvalidRequest, ValidationError):
            continue


def test_a_stored_request_reads_back_the_same() -> None:
    data = [stocks("AAPL"), options(strikes={"around_spot": 3}), contracts(SPX, PUT, schema="eod", interval=None)]
    first = parse(ttl="7d", backtest_id="42", session="extended", data=data)

    again = Submission.model_validate(first.model_dump(mode="json", by_alias=True, exclude_none=True))

    assert again == first
    assert again.canonical() == first.canonical()
    assert plan(again, "42") == plan(first, "42")
