from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.options.parameters import Chain, OptionHistory, option_history
from simulator.options.tables import TABLES
from simulator.refusal import Refusal

ONE_DAY = {"symbol": "SPXW", "expiration": "20240105", "date": "20240103"}
PAIR = {"symbol": "SPXW", "expiration": "20240105", "start_date": "20240102", "end_date": "20240105"}


def read(kind: str = "quote", **query: Any) -> OptionHistory:
    days = PAIR if TABLES[kind].reports else ONE_DAY
    return option_history(kind, {**days, "interval": "1m", **query})


def refused(kind: str = "quote", **query: Any) -> str:
    with pytest.raises(Refusal) as caught:
        read(kind, **query)
    assert caught.value.status == 400
    return caught.value.body


def test_defaults_are_the_vendors() -> None:
    request = option_history("quote", ONE_DAY)

    assert request.chain == Chain("SPXW", date(2024, 1, 5), None, ("call", "put"))
    assert (request.start_ms, request.end_ms, request.interval_ms) == (34_200_000, 57_600_000, 1_000)
    assert request.exclusive


@pytest.mark.parametrize("text", ["4700", "4700.0", "4700.000", "4.7E3"])
def test_a_strike_is_dollars_however_written(text: str) -> None:
    assert read(strike=text).chain.strike_thousandths == 4_700_000


@given(st.integers(0, 10**9 - 1))
def test_every_strike_is_read_to_the_thousandth(thousandths: int) -> None:
    assert read(strike=f"{thousandths // 1000}.{thousandths % 1000:03d}").chain.strike_thousandths == thousandths


@pytest.mark.parametrize("text", ["abc", "NaN", "-5", "1.2345", "Infinity", "1e12", ""])
def test_a_malformed_strike_is_refused(text: str) -> None:
    assert refused(strike=text) == f"Invalid value for parameter strike: {text}"


@pytest.mark.parametrize(
    ("text", "rights"),
    [("call", ("call",)), ("C", ("call",)), ("PUT", ("put",)), ("p", ("put",)), ("both", ("call", "put"))],
)
def test_a_right_is_a_word_or_a_letter(text: str, rights: tuple[str, ...]) -> None:
    assert read(right=text).chain.rights == rights


@pytest.mark.parametrize("kind", TABLES)
def test_the_wildcard_is_refused_where_the_vendor_refuses_it(kind: str) -> None:
    one_day = {"expiration": "*", "start_date": "20240103", "end_date": "20240103"}
    if kind == "ohlc" or (kind.startswith("greeks/") and kind != "greeks/eod"):
        assert "Wildcard" in refused(kind, **one_day)
    else:
        assert read(kind, **one_day, max_dte="7").chain == Chain("SPXW", None, None, ("call", "put"), max_dte=7)


@pytest.mark.parametrize("kind", ["trade", "eod", "greeks/eod", "open_interest"])
def test_all_expirations_are_asked_for_one_day_at_a_time(kind: str) -> None:
    query = {"symbol": "SPXW", "expiration": "*", "start_date": "20240102", "end_date": "20240103"}

    with pytest.raises(Refusal, match="single-day"):
        option_history(kind, query)


def test_max_dte_is_unknown_where_the_wildcard_is() -> None:
    assert read("ohlc", max_dte="nonsense").chain.max_dte is None


@pytest.mark.parametrize("query", [{"strike_range": "0"}, {"strike_range": "x"}, {"max_dte": "-1"}, {"max_dte": "1.5"}])
def test_counts_are_whole_numbers(query: dict[str, str]) -> None:
    assert "Invalid value" in refused(**query)


def test_limits_are_31_days_and_365_for_reports() -> None:
    year = {**PAIR, "start_date": "20230101", "end_date": "20231231"}

    assert option_history("greeks/eod", year).end == date(2023, 12, 31)
    for kind, end in (("eod", "20240101"), ("open_interest", "20230201")):
        with pytest.raises(Refusal, match="Too many days"):
            option_history(kind, {**year, "end_date": end})


def test_below_a_minute_one_day_is_all() -> None:
    query = {**PAIR, "interval": "30s"}

    with pytest.raises(Refusal, match="single-day"):
        option_history("greeks/first_order", query)


def test_bars_of_ticks_are_none() -> None:
    assert "tick" in refused("ohlc", interval="tick")
    assert read("quote", interval="tick").interval_ms == 0


def test_a_rate_is_percent_and_beats_its_type() -> None:
    assert read("greeks/all", rate_type="treasury_y10", rate_value="5.25", version="1").model.rate == 0.0525
    assert "rate_type" in refused("greeks/all", rate_type="libor")
    assert "rate_value" in refused("greeks/all", rate_value="much")
    assert "version" in refused("greeks/all", version="2")


@pytest.mark.parametrize("missing", ["symbol", "expiration"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(Refusal, match=f"Missing required parameter: {missing}"):
        option_history("quote", {name: value for name, value in ONE_DAY.items() if name != missing})
