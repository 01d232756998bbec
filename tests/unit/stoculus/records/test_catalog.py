import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.errors import InvalidRequest
from stoculus.records.catalog import (
    INTERVAL_US,
    RECORDS,
    RecordType,
    fingerprint,
    parse_schema,
    record_type,
    record_types,
)

GRIDS = ["ohlcv", "quote"]
TICKS = ["trade", "tradequote", "eod"]


@pytest.mark.parametrize("interval", INTERVAL_US)
@pytest.mark.parametrize("kind", GRIDS)
def test_bars_and_quotes_have_each_interval_of_the_vendor_written_either_way(kind: str, interval: str) -> None:
    schema = parse_schema(kind, interval)

    assert (schema.kind, schema.interval, schema.name) == (kind, interval, kind + interval)
    assert parse_schema(kind + interval) == parse_schema(kind + interval, interval) == schema


@pytest.mark.parametrize("interval", INTERVAL_US)
@pytest.mark.parametrize("kind", TICKS)
def test_trades_and_reports_have_no_interval(kind: str, interval: str) -> None:
    assert parse_schema(kind).name == kind
    for text, other in ((kind, interval), (kind + interval, None)):
        with pytest.raises(InvalidRequest) as caught:
            parse_schema(text, other)
        assert caught.value.field == "interval"


def test_bars_without_an_interval_are_of_a_minute_and_quotes_are_all() -> None:
    assert parse_schema("ohlcv").name == "ohlcv1m"
    assert parse_schema("quote").name == parse_schema("quote", "tick").name == "quote"
    with pytest.raises(InvalidRequest, match="ohlcv needs"):
        parse_schema("ohlcv", "tick")


def test_two_intervals_that_differ_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="differ"):
        parse_schema("ohlcv5m", "1m")


@pytest.mark.parametrize("interval", ["7m", "1d", "60s", "0m", "01m", "", "1M", "\u0661m"])
def test_an_interval_that_the_vendor_lacks_is_refused(interval: str) -> None:
    if interval:
        with pytest.raises(InvalidRequest):
            parse_schema("ohlcv", interval)
    with pytest.raises(InvalidRequest):
        parse_schema(f"candle{interval}")


@given(st.text(max_size=30), st.none() | st.text(max_size=6) | st.sampled_from([*INTERVAL_US, "tick"]))
def test_nonsense_is_refused_and_all_else_is_read_again_by_its_name(text: str, interval: str | None) -> None:
    try:
        schema = parse_schema(text, interval)
    except InvalidRequest as error:
        assert error.remedy  # noqa: PT017
        assert error.field in ("schema", "interval")  # noqa: PT017
    else:
        assert parse_schema(schema.name) == schema


def test_a_bar_is_known_when_it_is_over_and_a_tick_at_once() -> None:
    assert parse_schema("ohlcv5m").delay_us == 300_000_000
    assert [parse_schema(kind).delay_us for kind in ("quote1m", "quote", "trade", "tradequote", "eod")] == [0] * 5


def test_greeks_at_the_end_of_a_day_are_known_when_the_report_is_made() -> None:
    assert parse_schema("greekseod", asset="option").available_column == "underlying_timestamp"
    assert parse_schema("greeksall", asset="option").available_column == "ts_event"


@pytest.mark.parametrize("kind", ["greeksfirst", "greeksall", "iv"])
def test_greeks_on_a_grid_are_of_a_minute_unless_said_and_never_of_ticks(kind: str) -> None:
    assert parse_schema(kind, asset="option").name == f"{kind}1m"
    with pytest.raises(InvalidRequest, match="needs an interval"):
        parse_schema(kind, "tick", asset="option")


def test_stocks_have_no_greeks() -> None:
    with pytest.raises(InvalidRequest, match="not a schema of stocks"):
        parse_schema("greeksall1m")


def test_each_kind_has_a_record_type_of_its_own() -> None:
    assert {record.name for record in record_types()} == {name for kinds in RECORDS.values() for name in kinds.values()}
    for asset, kinds in RECORDS.items():
        for kind, name in kinds.items():
            assert parse_schema(kind, asset=asset).record is record_type(name)


@pytest.mark.parametrize("record", record_types(), ids=lambda record: record.name)
class TestEachRecordType:
    def test_names_symbol_and_event_time_first(self, record: RecordType) -> None:
        arrow = record.arrow

        assert arrow.names[:2] == ["symbol", "ts_event"]
        assert arrow.field("ts_event").type == pa.timestamp("us", "UTC")
        assert not arrow.field("ts_event").nullable

    def test_tells_of_each_field_its_unit_and_source(self, record: RecordType) -> None:
        fields = json.loads(record.avro)["fields"]

        assert [field["name"] for field in fields if "Vendor" not in field.get("doc", "")] == []

    def test_has_a_subject_that_is_its_full_name(self, record: RecordType) -> None:
        avro = json.loads(record.avro)

        assert record.subject == f"{avro['namespace']}.{avro['name']}"


def test_a_fingerprint_depends_on_content_not_on_layout() -> None:
    assert fingerprint({"a": 1, "b": [1]}) == fingerprint({"b": [1], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
