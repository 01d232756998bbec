import json
from datetime import datetime

import pytest

from simulator.clock import Clock
from simulator.formats import Dialect
from simulator.market import Eod
from simulator.options.history import OptionHistories
from stoculus.calendar import NEW_YORK
from stoculus.instruments import OptionContract
from tests.unit.simulator.options.small_chain import LATER, NEAR, OPEN_MS, SmallChain, body, rows

ONE = {"symbol": "TEST", "expiration": "20240105", "strike": "95", "right": "call", "date": "20240103"}
CHAIN = {"symbol": "TEST", "expiration": "20240105", "date": "20240103"}
CONTRACT = OptionContract("TEST", NEAR, 95_000, "call")


def test_text_is_quoted_the_strike_bare_and_the_right_in_capitals() -> None:
    lines = body("trade", ONE).split("\r\n")

    assert lines[1:] == [
        '"TEST","2024-01-05",95.000,"CALL",2024-01-03T09:30:30.500,-1,255,255,255,255,18,1,5,1.00',
        "",
        "",
    ]


def test_an_older_build_quotes_nothing_and_trims_times() -> None:
    lines = body("trade", ONE, dialect=Dialect(quoted=False, trimmed_times=True)).split("\r\n")

    assert lines[1] == "TEST,2024-01-05,95.000,CALL,2024-01-03T09:30:30.5,-1,255,255,255,255,18,1,5,1.00"


def test_the_grid_has_both_ends_and_zero_bars_that_carry_the_vwap() -> None:
    bars = rows("ohlc", ONE)

    assert len(bars) == 391
    assert [bars[at]["timestamp"][11:16] for at in (0, -1)] == ["09:30", "16:00"]
    assert [bars[0][name] for name in ("open", "close", "volume", "count", "vwap")] == [
        "1.00",
        "1.00",
        "1",
        "1",
        "1.00",
    ]
    assert [bars[-1][name] for name in ("open", "close", "volume", "count", "vwap")] == ["0.0", "0.0", "0", "0", "1.00"]


@pytest.mark.parametrize("kind", ["trade", "eod"])
def test_rows_of_a_contract_come_together_over_all_days(kind: str) -> None:
    query = {"symbol": "TEST", "expiration": "20240105", "start_date": "20240103", "end_date": "20240104"}

    found = rows(kind, query)

    names = [(row["strike"], row["right"]) for row in found]
    assert names[::2] == names[1::2]
    assert len(set(names)) == 10
    days = [(row.get("created") or row["timestamp"])[:10] for row in found]
    assert days == ["2024-01-03", "2024-01-04"] * 10


@pytest.mark.parametrize("kind", ["quote", "ohlc", "trade", "open_interest", "greeks/all", "trade_greeks/first_order"])
def test_all_formats_hold_the_same_rows(kind: str) -> None:
    query = {**CHAIN, "interval": "1h"}
    groups = json.loads(body(kind, {**query, "format": "json"}))["response"]
    flat = [json.loads(line) for line in body(kind, {**query, "format": "ndjson"}).splitlines()]

    assert [{**group["contract"], **row} for group in groups for row in group["data"]] == flat
    table = rows(kind, query)
    assert [list(row) for row in table] == [list(row) for row in flat]
    for row, other in zip(table, flat, strict=True):
        for name, value in other.items():
            assert row[name].startswith(value) if isinstance(value, str) else float(row[name]) == value
    assert body(kind, {**query, "format": "html"}).count("<tr>") == len(flat) + 1


def test_json_is_laid_out_as_recorded() -> None:
    text = body("open_interest", {**ONE, "format": "json"})

    assert text == (
        '{\n\t"response": [\n\t\t{\n\t\t\t"contract": {"symbol":"TEST","expiration":"2024-01-05","right":"CALL",'
        '"strike":95.000},\n\t\t\t"data": [\n\t\t\t\t{"timestamp":"2024-01-03T06:30:00","open_interest":7}'
        "\n\t\t\t]\n\t\t}\n\t]\n}\n\n"
    )


def test_a_trade_is_paired_with_the_quote_before_it() -> None:
    [row] = rows("trade_quote", {**ONE, "exclusive": "false"})

    assert (row["quote_timestamp"], row["bid"], row["ask"]) == ("2024-01-03T09:30:00.000", "1.00", "1.10")


def test_nothing_is_known_before_it_happened() -> None:
    clock = Clock(datetime(2024, 1, 3, 9, 31, 30, tzinfo=NEW_YORK))

    assert len(rows("quote", ONE, None, clock)) == 2
    assert len(rows("open_interest", ONE, None, clock)) == 1
    report = {**ONE, "start_date": "20240103", "end_date": "20240104"}
    for kind in ("eod", "greeks/eod"):
        assert rows(kind, report, None, clock) == []
        assert len(rows(kind, report, None, Clock(datetime(2024, 1, 3, 17, 15, tzinfo=NEW_YORK)))) == 1
        assert len(rows(kind, report)) == 2


def test_open_interest_waits_for_its_report() -> None:
    clock = Clock(datetime(2024, 1, 3, 6, 29, 59, tzinfo=NEW_YORK))

    assert rows("open_interest", ONE, None, clock) == []


def test_a_past_answer_is_made_once_and_todays_each_time() -> None:
    source, clock = SmallChain(), Clock(LATER)
    histories = OptionHistories(source, clock)
    request = histories.endpoints["option/history/quote"].read({**CHAIN, "interval": "1m"})

    first = [bytes(run) for run in histories.runs(request, Dialect())]
    asked = len(source.asked)
    assert [bytes(run) for run in histories.runs(request, Dialect())] == first
    assert len(source.asked) == asked

    clock.set(datetime(2024, 1, 3, 12, 0, tzinfo=NEW_YORK))
    assert len(b"".join(bytes(run) for run in histories.runs(request, Dialect()))) < len(b"".join(first))


def test_all_prices_of_a_report_share_one_scale() -> None:
    source = SmallChain()
    quote = (1, 2, 1_234_500, 50, 3, 4, 1_240_000, 50)
    query = {**ONE, "start_date": "20240103", "end_date": "20240103"}
    for price, texts in (
        (12_000, ["1.20", "123.45"]),
        (12_010, ["1.201", "123.450"]),
        (12_001, ["1.2001", "123.4500"]),
    ):
        source.held_reports[CONTRACT] = Eod(62_100_000, OPEN_MS, price, price, price, price, 1, 1, quote)
        [row] = rows("eod", query, source)
        assert [row["open"], row["bid"]] == texts


def test_greeks_are_at_the_midpoint_and_the_underlyings_second() -> None:
    row = rows("greeks/first_order", {**ONE, "interval": "1h"})[1]

    assert (row["bid"], row["ask"], row["underlying_price"]) == ("1.6000", "1.7000", "101.0000")
    assert row["timestamp"] == row["underlying_timestamp"] == "2024-01-03T10:30:00.000"
    [trade] = rows("trade_greeks/all", ONE)
    assert (trade["timestamp"], trade["underlying_timestamp"]) == ("2024-01-03T09:30:30.500", "2024-01-03T09:30:30.000")


def test_volatilities_stand_beside_their_prices() -> None:
    put = {**ONE, "strike": "100", "right": "put", "interval": "1h"}
    row = rows("greeks/implied_volatility", put)[0]

    assert (row["bid"], row["midpoint"], row["ask"]) == ("1.0000", "1.0500", "1.1000")
    assert 0 < float(row["bid_implied_vol"]) < float(row["implied_vol"]) < float(row["ask_implied_vol"])
    assert row["implied_vol"] == rows("greeks/all", put)[0]["implied_vol"]


def test_a_dividend_makes_calls_cheaper_and_their_volatility_dearer() -> None:
    put = {**ONE, "strike": "100", "right": "call", "interval": "1h"}

    without, with_it = (rows("greeks/all", {**put, **more})[3] for more in ({}, {"annual_dividend": "50"}))

    assert float(with_it["implied_vol"]) > float(without["implied_vol"])


def test_end_of_day_greeks_are_at_the_last_quote_and_known_with_the_report() -> None:
    [row] = rows("greeks/eod", {**ONE, "start_date": "20240103", "end_date": "20240103"})

    assert (row["timestamp"], row["underlying_timestamp"]) == ("2024-01-03T16:00:00.000", "2024-01-03T17:15:00.000")
    assert (row["close"], row["underlying_price"]) == ("1.00", "101.000")
