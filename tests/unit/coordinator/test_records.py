"""Formats, times and topics of the records endpoint."""

import csv
import io
from datetime import UTC, date, datetime

import orjson
import pyarrow as pa
import pytest

from coordinator.backtests.models import Submission
from coordinator.backtests.records import FORMATS, choose_format, choose_topic, market_time_us
from coordinator.backtests.store import Backtest
from stoculus.errors import InvalidRequest
from stoculus.records.catalog import record_type

BAR = {
    "symbol": "AAPL",
    "ts_event": datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
    "open": 187.15,
    "high": 187.2,
    "low": 187.1,
    "close": 187.11,
    "volume": 100,
    "count": 3,
    "vwap": 187.14,
}


def bars() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([BAR, BAR | {"volume": 200}], schema=record_type("StockOhlcv").arrow)


def test_ndjson_has_a_record_a_line_with_utc_times() -> None:
    lines = FORMATS["application/x-ndjson"](bars()).splitlines()

    assert [orjson.loads(line)["volume"] for line in lines] == [100, 200]
    assert orjson.loads(lines[0])["ts_event"] == "2024-01-02T14:30:00Z"


def test_csv_has_a_header_and_a_record_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["text/csv"](bars()).decode())))

    assert [row["volume"] for row in rows] == ["100", "200"]
    assert rows[0]["ts_event"].startswith("2024-01-02 14:30:00")


def test_arrow_gives_the_same_batch_back() -> None:
    stream = pa.ipc.open_stream(FORMATS["application/vnd.apache.arrow.stream"](bars()))

    assert stream.read_all() == pa.Table.from_batches([bars()])


def test_days_and_rights_of_options_are_text_in_every_text_format() -> None:
    schema = record_type("OptionOpenInterest").arrow
    row = {field.name: 1 for field in schema} | {
        "symbol": "SPXW  240105C04700000",
        "ts_event": BAR["ts_event"],
        "root": "SPXW",
        "expiration": date(2024, 1, 5),
        "strike": 4700.0,
        "right": "CALL",
    }
    batch = pa.RecordBatch.from_pylist([row], schema=schema)

    told = orjson.loads(FORMATS["application/x-ndjson"](batch))
    table = next(csv.DictReader(io.StringIO(FORMATS["text/csv"](batch).decode())))

    for found in (told, table):
        assert (found["expiration"], found["right"], float(found["strike"])) == ("2024-01-05", "CALL", 4700.0)
        assert found["symbol"] == "SPXW  240105C04700000"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/x-ndjson"),
        ("text/html,application/json", "application/x-ndjson"),
        ("text/csv", "text/csv"),
        ("Text/CSV; q=0.9, */*", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
    ],
)
def test_accept_chooses_the_format(accept: str, media_type: str) -> None:
    assert choose_format(accept) == media_type


@pytest.mark.parametrize(
    "text",
    [
        "2024-07-02T13:30:00Z",
        "2024-07-02T09:30",
        "2024-07-02T09:30:00-04:00",
        "2024-07-02T15:30:00+02:00",
        "2024-07-02T15:30:00 02:00",
        "2024-07-02 09:30",
    ],
)
def test_a_time_without_offset_is_new_yorks(text: str) -> None:
    assert market_time_us(text) == int(datetime(2024, 7, 2, 13, 30, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_day_begins_at_midnight_in_new_york() -> None:
    assert market_time_us("2024-01-02") == int(datetime(2024, 1, 2, 5, tzinfo=UTC).timestamp()) * 1_000_000


def test_microseconds_are_exact() -> None:
    assert market_time_us("2024-01-02T14:30:00.123457Z") % 1_000_000 == 123_457


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-01-02T25:00", "1704153600"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        market_time_us(text)

    assert refused.value.field == "from"


def of_symbols(*symbols: str) -> Backtest:
    data = [{"asset": "stock", "symbols": list(symbols), "schema": "quote"}]
    request = {"start": "2024-01-02", "end": "2024-01-02", "data": data}
    return Backtest("42", datetime(2024, 1, 10, tzinfo=UTC), Submission.model_validate(request))


def test_the_topic_may_be_left_out_where_there_is_one() -> None:
    assert choose_topic(of_symbols("AAPL"), None) == "stock-aapl-quote-historical-42"
    with pytest.raises(InvalidRequest, match="stock-msft-quote-historical-42"):
        choose_topic(of_symbols("AAPL", "MSFT"), None)


def test_a_topic_of_another_backtest_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        choose_topic(of_symbols("AAPL"), "stock-aapl-quote-historical-43")

    assert refused.value.field == "topic"
