from dataclasses import replace
from datetime import date, time

import pytest

from tests.unit.theta_client.conftest import window
from theta_client.requests import HistoryRequest
from theta_client.windows import Window

MONDAY, TUESDAY = date(2024, 1, 8), date(2024, 1, 9)


def test_every_parameter_with_a_vendor_default_is_sent() -> None:
    request = HistoryRequest("trade_quote", "BRK.B", window(MONDAY))
    assert request.path == "stock/history/trade_quote"
    assert request.params == {
        "symbol": "BRK.B",
        "start_date": "20240108",
        "end_date": "20240108",
        "start_time": "09:30:00.000",
        "end_time": "16:00:00.000",
        "venue": "utp_cta",
        "exclusive": "false",
        "format": "csv",
    }


def test_bars_send_their_interval_and_eod_sends_days_only() -> None:
    bars = HistoryRequest("ohlc", "AAPL", window(MONDAY, TUESDAY, end_time=time(23, 59, 59, 999_000)), "1m")
    assert bars.params["interval"] == "1m"
    assert bars.params["end_time"] == "23:59:59.999"
    assert bars.params["end_date"] == "20240109"
    assert "exclusive" not in bars.params
    eod = HistoryRequest("eod", "AAPL", Window(MONDAY, TUESDAY, (MONDAY, TUESDAY), None, None))
    assert eod.params == {"symbol": "AAPL", "start_date": "20240108", "end_date": "20240109", "format": "csv"}


def test_it_names_itself_in_messages() -> None:
    assert str(HistoryRequest("trade", "AAPL", window(MONDAY))) == "stock/history/trade AAPL 2024-01-08"
    bars = HistoryRequest("ohlc", "AAPL", window(MONDAY, TUESDAY), "1m")
    assert str(bars) == "stock/history/ohlc AAPL 1m 2024-01-08..2024-01-09"


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        (HistoryRequest("trade", "AAPL", window(MONDAY)), 2),
        (HistoryRequest("trade_quote", "AAPL", window(MONDAY)), 2),
        (HistoryRequest("quote", "AAPL", window(MONDAY), "tick"), 2),
        (HistoryRequest("quote", "AAPL", window(MONDAY), "1s"), 0),
        (HistoryRequest("ohlc", "AAPL", window(MONDAY), "1s"), 0),
        (HistoryRequest("ohlc", "AAPL", window(MONDAY, TUESDAY), "1m"), 2),
    ],
)
def test_ticks_split_by_time_and_bars_of_a_day_do_not(request_: HistoryRequest, parts: int) -> None:
    found = list(request_.parts())
    assert len(found) == parts
    assert [replace(part, window=request_.window) for part in found] == [request_] * parts
