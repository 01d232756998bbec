"""Recordings over HTTP; the values are compared with the files in tests/unit/simulator/test_recordings.py."""

import csv
import io
import zipfile
from pathlib import Path

import httpx2
import pytest

pytestmark = pytest.mark.recordings
WHOLE_DAY = {"start_time": "00:00:00", "end_time": "23:59:59.999"}


def lines(response: httpx2.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return response.text.split("\r\n")[1:-2]


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("trade", {"symbol": "SPY", "date": "20131007"}, 250_601),
        ("trade", {"symbol": "SPY", "date": "20131008"}, 451_545),
        ("trade", {"symbol": "BAC", "date": "20131007"}, 88_172),
        ("quote", {"symbol": "BAC", "date": "20131007", "interval": "tick"}, 238_427),
        ("trade_quote", {"symbol": "BAC", "date": "20131007"}, 88_172),
        ("ohlc", {"symbol": "AAPL", "start_date": "20140605", "end_date": "20140609", "interval": "1m"}, 3 * 1_440),
        ("ohlc", {"symbol": "GOOG", "date": "20151224", "interval": "1m"}, 1_440),
    ],
)
def test_each_recorded_row_is_answered(
    recorded_terminal: httpx2.Client, path: str, query: dict[str, str], count: int
) -> None:
    assert len(lines(recorded_terminal.get(f"/v3/stock/history/{path}", params={**query, **WHOLE_DAY}))) == count


def test_trades_keep_time_and_price_through_the_wire(recorded_terminal: httpx2.Client, recordings: Path) -> None:
    with zipfile.ZipFile(recordings / "equity/usa/tick/bac/20131007_trade.zip") as archive:
        rows = list(csv.reader(io.StringIO(archive.read(archive.namelist()[0]).decode())))

    answered = lines(
        recorded_terminal.get("/v3/stock/history/trade", params={"symbol": "BAC", "date": "20131007", **WHOLE_DAY})
    )

    for line, (ms, price, size, *_) in zip(answered, rows, strict=True):
        cells = line.split(",")
        seconds, rest = divmod(int(ms), 1_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
        assert cells[0] == f"2013-10-07T{clock}"
        assert (float(cells[-1]), cells[7]) == (int(price) / 10_000, size)


def test_daily_files_answer_eod_since_1998_for_each_tier(recorded_terminal: httpx2.Client) -> None:
    query = {"symbol": "AAPL", "start_date": "19980102", "end_date": "19980106"}

    rows = lines(recorded_terminal.get("/v3/stock/history/eod", params=query))

    assert rows[0] == (
        "1998-01-02T17:15:00.000,1998-01-02T16:00:00.000,13.630,16.250,13.500,16.250,6315000,0,0,0,0.000,0,0,0,0.000,0"
    )
    assert len(rows) == 3


def test_what_no_file_holds_is_472(recorded_terminal: httpx2.Client) -> None:
    for path, query in (
        ("trade", {"symbol": "AAPL", "date": "20140605"}),
        ("trade_quote", {"symbol": "SPY", "date": "20131007"}),
        ("ohlc", {"symbol": "AAPL", "date": "20140607", "interval": "1m"}),
        ("eod", {"symbol": "TWX", "start_date": "20140605", "end_date": "20140609"}),
    ):
        assert recorded_terminal.get(f"/v3/stock/history/{path}", params=query).status_code == 472


def test_the_symbols_are_those_of_the_files(recorded_terminal: httpx2.Client) -> None:
    assert len(lines(recorded_terminal.get("/v3/stock/list/symbols"))) == 10


@pytest.mark.parametrize(("root", "day"), [("GOOG", "20151224"), ("SPXW", "20210106")])
def test_each_listed_option_has_its_grid_of_quotes(recorded_terminal: httpx2.Client, root: str, day: str) -> None:
    listed = lines(recorded_terminal.get("/v3/option/list/contracts/quote", params={"symbol": root, "date": day}))
    query = {"symbol": root, "expiration": "*", "date": day, "interval": "1m", "end_time": "16:15"}

    rows = lines(recorded_terminal.get("/v3/option/history/quote", params=query))

    contracts = [row.rsplit(",", 9)[0] for row in rows[::406]]
    assert len(rows) == 406 * len(listed)
    assert sorted(contracts) == sorted(listed)


def test_strikes_change_with_the_split_and_open_interest_a_day_later(recorded_terminal: httpx2.Client) -> None:
    def strikes(path: str, day: str) -> list[float]:
        query = {"symbol": "AAPL", "expiration": "*", "date": day}
        return [float(row.split(",")[2]) for row in lines(recorded_terminal.get(f"/v3/option/{path}", params=query))]

    assert max(strikes("list/contracts/trade", "20140606")) > 900
    assert max(strikes("history/open_interest", "20140609")) > 900
    assert max(strikes("list/contracts/trade", "20140609")) < 250


@pytest.mark.parametrize("kind", ["trade", "trade_quote", "greeks/all", "trade_greeks/all"])
def test_option_recordings_have_no_ticks_and_no_greeks(recorded_terminal: httpx2.Client, kind: str) -> None:
    query = {"symbol": "AAPL", "expiration": "20140613", "date": "20140606", "interval": "1m"}

    assert recorded_terminal.get(f"/v3/option/history/{kind}", params=query).status_code == 472
