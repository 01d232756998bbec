from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest
import typer

from stoculus.cli.consume import _csv, _json, _table, market_time_us
from stoculus.instruments import OptionContract
from stoculus.records.catalog import record_type

BATCH = pa.RecordBatch.from_pydict(
    {
        "symbol": ["AAPL", "BRK.B"],
        "ts_event": pa.array(
            [datetime(2024, 1, 2, 14, 30, 0, 5000, UTC), datetime(2024, 7, 2, 13, 30, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
        ),
        "price": [185.25, 0.1],
        "ext_condition1": pa.array([None, 12], pa.int32()),
    }
)


@pytest.mark.parametrize("text", ["", "today", "09:30", "2024-13-01", "1704205800"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        market_time_us(text)


def test_a_table_shows_new_york_time_and_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    _table()(BATCH)

    assert capsys.readouterr().out.splitlines() == [
        "symbol  ts_event (New York)         price  ext_condition1",
        "AAPL    2024-01-02 09:30:00.005    185.25",
        "BRK.B   2024-07-02 09:30:00.000       0.1              12",
    ]


def test_json_is_an_object_a_line_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    _json()(BATCH)

    first, second = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "symbol": "AAPL",
        "ts_event": "2024-01-02T14:30:00.005000Z",
        "price": 185.25,
        "ext_condition1": None,
    }
    assert second["symbol"] == "BRK.B"


def test_a_contract_is_told_by_symbol_expiration_strike_and_right(capsys: pytest.CaptureFixture[str]) -> None:
    contract = OptionContract.parse("SPXW  240105P04700500")
    told = {"symbol": contract.osi, "expiration": contract.expiration, "strike": contract.strike, "right": "PUT"}
    volatility = record_type("OptionImpliedVolatility").arrow
    row = dict.fromkeys(volatility.names, 0) | told | {"root": "SPXW", "underlying_timestamp": None}
    batch = pa.RecordBatch.from_pylist([row], schema=volatility).select([*told, "underlying_timestamp"])

    _table()(batch)
    _csv()(batch)
    _json()(batch)

    names, values, _, csv, json = capsys.readouterr().out.splitlines()
    assert names == "symbol                 expiration    strike  right  underlying_timestamp (New York)"
    assert values == "SPXW  240105P04700500  2024-01-05    4700.5  PUT"
    assert csv == '"SPXW  240105P04700500",2024-01-05,4700.5,"PUT",'
    assert orjson.loads(json) == told | {"expiration": "2024-01-05", "underlying_timestamp": None}


@pytest.mark.parametrize("make", [_csv, _table])
def test_the_header_stands_once(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write = make()
    write(BATCH)
    write(BATCH)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert sum("symbol" in line for line in lines) == 1
