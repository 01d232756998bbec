"""What a stream's request means, and how a wrong one is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from coordinator.requests import in_request
from coordinator.selections import MAX_TOPICS
from coordinator.streams.models import StreamSubmission, feeds, spec
from stoculus.errors import InvalidRequest
from stoculus.streams import StreamSpec

CALL, PUT, SPX = "SPXW  240105C04700000", "SPXW  240105P04700000", "SPX   240119C04700000"


def stocks(*symbols: str, schema: str = "trade", **more: Any) -> dict[str, Any]:
    return {"asset": "stock", "symbols": list(symbols), "schema": schema, **more}


def options(**fields: Any) -> dict[str, Any]:
    return {"asset": "option", "schema": "quote", **fields}


def parse(*data: dict[str, Any], **more: Any) -> StreamSubmission:
    return StreamSubmission.model_validate({"data": list(data), **more})


def test_a_stock_that_is_named_twice_is_one_feed() -> None:
    asked = feeds(parse(stocks("MSFT", "aapl", "msft"), stocks("AAPL"), stocks("AAPL", schema="quote")))

    assert [(one.feed.topic, one.field) for one in asked] == [
        ("stock-msft-trade-live", "data[0].symbols[0]"),
        ("stock-aapl-trade-live", "data[0].symbols[1]"),
        ("stock-aapl-quote-live", "data[2].symbols[0]"),
    ]


def test_bars_of_a_minute_are_one_feed_however_they_are_written() -> None:
    ways = [("ohlcv", None), ("ohlcv", "1m"), ("ohlcv1m", None)]
    asked = feeds(parse(*(stocks("AAPL", schema=schema, interval=interval) for schema, interval in ways)))

    assert [one.feed.topic for one in asked] == ["stock-aapl-ohlcv1m-live"]


def test_selections_of_one_root_and_schema_share_a_topic() -> None:
    submission = parse(
        options(root="spxw", expirations={"dte": {"max": 0}}), options(contracts=[PUT, SPX, CALL, PUT]), warmup="02d"
    )
    asked = feeds(submission)
    told = spec(submission, "tape", asked)

    assert [one.feed.symbol for one in asked] == ["SPXW", "SPXW", "SPX"]
    assert (told.topics, told.warmup) == (["option-spx-quote-live", "option-spxw-quote-live"], "2d")
    assert StreamSpec.model_validate_json(told.model_dump_json(by_alias=True)) == told


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ("feeds[0].ticker", "data[0].symbols[0]"),
        ("feeds[1].expirations.dte.max", "data[1].expirations.dte.max"),
        ("feeds[2].contracts[0]", "data[2].contracts[2]"),
        ("feeds[2].contracts[1]", "data[2].contracts[0]"),
        ("feeds[3]", "data[2].contracts[1]"),
        ("feeds[2].schema", "data[2].schema"),
        ("feeds[0].warmup", "warmup"),
        ("feeds[4].ticker", "feeds[4].ticker"),
        ("warmup", "warmup"),
    ],
)
def test_a_field_of_a_feed_is_told_as_the_field_of_the_request(told: str, field: str) -> None:
    chain = options(root="SPXW", expirations={"dte": {"max": 0}})
    asked = feeds(parse(stocks("AAPL"), chain, options(contracts=[PUT, SPX, CALL])))
    error = InvalidRequest("No.", remedy="Yes.", field=told)

    found = in_request(error, "feeds", asked)

    assert (type(found), found.message, found.remedy, found.field) == (InvalidRequest, "No.", "Yes.", field)


def test_equal_requests_have_one_canonical_form() -> None:
    one = parse(stocks("MSFT", "aapl", schema="ohlcv"), stream_id=7, warmup="1d")
    other = parse(
        stocks("AAPL", "MSFT", schema="ohlcv1m", interval="1m"), stream_id="7", session="always", warmup="01d"
    )

    assert one.canonical() == other.canonical()
    assert one.canonical() != parse(stocks("MSFT", "AAPL", schema="ohlcv"), stream_id="7").canonical()


@pytest.mark.parametrize("schema", ["eod", "openinterest", "greekseod", "greeksall", "iv"])
def test_what_the_vendor_does_not_stream_is_refused_with_its_place(schema: str) -> None:
    with pytest.raises(ValidationError) as raised:
        parse(stocks("AAPL"), options(contracts=[CALL], schema=schema))

    (error,) = raised.value.errors()
    assert (error["loc"], error["ctx"]["field"]) == (("data", 1), "schema")
    assert "backtest" in error["ctx"]["remedy"]


@pytest.mark.parametrize("more", [{"warmup": "31d"}, {"warmup": "d"}, {"stream_id": "x.y"}, {"stream_id": ""}])
def test_a_wrong_id_or_warm_up_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse(stocks("AAPL"), **more)

    assert [raised.value.field] == list(more)


def test_too_many_topics_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="1001"):
        parse(stocks(*(f"S{n}" for n in range(MAX_TOPICS))), stocks("AAPL"))
