from dataclasses import replace
from datetime import date, time
from typing import get_args

import pytest

from tests.unit.theta_client.conftest import window
from theta_client.option_requests import WILDCARD_KINDS, OptionRequest
from theta_client.requests import Request
from theta_client.windows import OptionKind, Window

MONDAY, TUESDAY = date(2024, 1, 8), date(2024, 1, 9)
EXPIRATION = date(2024, 1, 19)
GREEKS = [kind for kind in get_args(OptionKind) if "greeks" in kind]
WHOLE_DAYS = ["eod", "greeks/eod", "open_interest"]


def days(*of: date) -> Window:
    return Window(of[0], of[-1], of, None, None)


def leaves(request: Request) -> list[Request]:
    parts = list(request.parts())
    return [leaf for part in parts for leaf in leaves(part)] or [request]


def test_a_chain_is_asked_for_with_every_parameter_that_has_a_vendor_default() -> None:
    request = OptionRequest("quote", "SPXW", window(MONDAY, end_time=time(16, 15)), interval="1m", max_dte=7)
    assert request.path == "option/history/quote"
    assert request.params == {
        "symbol": "SPXW",
        "expiration": "*",
        "strike": "*",
        "right": "both",
        "start_date": "20240108",
        "end_date": "20240108",
        "start_time": "09:30:00.000",
        "end_time": "16:15:00.000",
        "interval": "1m",
        "max_dte": "7",
        "format": "csv",
    }


def test_a_contract_is_named_in_dollars() -> None:
    request = OptionRequest("eod", "AAPL", days(MONDAY, TUESDAY), EXPIRATION, 92_143, "put")
    assert request.params == {
        "symbol": "AAPL",
        "expiration": "20240119",
        "strike": "92.143",
        "right": "put",
        "start_date": "20240108",
        "end_date": "20240109",
        "format": "csv",
    }
    assert replace(request, strike_thousandths=4_700_000).params["strike"] == "4700.000"
    assert replace(request, strike_thousandths=500).params["strike"] == "0.500"


def test_strikes_around_the_spot_are_the_vendors_own_range() -> None:
    request = OptionRequest("ohlc", "SPXW", window(MONDAY), EXPIRATION, interval="1m", strike_range=5)
    assert request.params["strike_range"] == "5"
    assert "max_dte" not in request.params


def test_the_quote_of_a_trade_is_at_or_before_it() -> None:
    assert OptionRequest("trade_quote", "SPXW", window(MONDAY)).params["exclusive"] == "false"


@pytest.mark.parametrize("kind", GREEKS)
def test_greeks_name_their_rate_and_model(kind: OptionKind) -> None:
    params = OptionRequest(kind, "SPXW", window(MONDAY), EXPIRATION).params
    assert (params["rate_type"], params["version"]) == ("sofr", "latest")
    assert params.get("underlyer_use_nbbo") == ("false" if kind == "greeks/eod" else None)


@pytest.mark.parametrize("kind", sorted(set(get_args(OptionKind)) - set(GREEKS)))
def test_others_know_neither_rate_nor_venue(kind: OptionKind) -> None:
    params = OptionRequest(kind, "SPXW", window(MONDAY), EXPIRATION).params
    assert params.keys().isdisjoint({"rate_type", "version", "venue", "underlyer_use_nbbo"})


def test_bars_and_greeks_on_a_grid_need_an_expiration() -> None:
    refused = {"ohlc", "greeks/first_order", "greeks/all", "greeks/implied_volatility"}
    assert set(get_args(OptionKind)) - refused == WILDCARD_KINDS


def test_it_names_itself_in_messages() -> None:
    assert str(OptionRequest("trade", "SPXW", window(MONDAY))) == "option/history/trade SPXW * * both 2024-01-08"
    contract = OptionRequest("eod", "AAPL", days(MONDAY, TUESDAY), EXPIRATION, 92_500, "call")
    assert str(contract) == "option/history/eod AAPL 2024-01-19 92.500 call 2024-01-08..2024-01-09"
    bars = OptionRequest("ohlc", "AAPL", window(MONDAY), EXPIRATION, interval="1m")
    assert str(bars) == "option/history/ohlc AAPL 2024-01-19 * both 1m 2024-01-08"


@pytest.mark.parametrize("kind", ["ohlc", *WHOLE_DAYS])
def test_too_large_goes_by_days_then_by_calls_and_puts(kind: OptionKind) -> None:
    asked = window(MONDAY, TUESDAY) if kind == "ohlc" else days(MONDAY, TUESDAY)
    found = leaves(OptionRequest(kind, "SPXW", asked, EXPIRATION))
    assert [(part.params["start_date"], part.params["end_date"], part.params["right"]) for part in found] == [
        ("20240108", "20240108", "call"),
        ("20240108", "20240108", "put"),
        ("20240109", "20240109", "call"),
        ("20240109", "20240109", "put"),
    ]


@pytest.mark.parametrize("kind", sorted(set(get_args(OptionKind)) - {"ohlc", *WHOLE_DAYS}))
def test_too_large_ends_with_halves_of_time_in_order(kind: OptionKind) -> None:
    request = OptionRequest(kind, "SPXW", window(MONDAY, end_time=time(10)), interval="10m")
    times = [("09:30:00.000", "09:39:59.999"), ("09:40:00.000", "09:49:59.999"), ("09:50:00.000", "10:00:00.000")]
    found = [part.params for part in leaves(request)]
    assert [(params["right"], params["start_time"], params["end_time"]) for params in found] == [
        ("call", times[0][0], times[0][1]),
        ("call", times[1][0], times[1][1]),
        ("call", times[2][0], times[2][1]),
        ("put", times[0][0], times[0][1]),
        ("put", times[1][0], times[1][1]),
        ("put", times[2][0], times[2][1]),
    ]


def test_parts_ask_for_the_same_but_right_and_window() -> None:
    request = OptionRequest("quote", "SPXW", window(MONDAY), EXPIRATION, 4_700_000, "both", "1h", 3, 7)
    for part in leaves(request):
        assert isinstance(part, OptionRequest)
        assert replace(part, right="both", window=request.window) == request
