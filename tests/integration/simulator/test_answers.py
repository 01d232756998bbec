"""What a client sees on the wire."""

import csv
import io
import json

import httpx2
import pytest

DAY = {"symbol": "AAPL", "date": "20240103"}
WHOLE_DAY = {"start_time": "00:00:00", "end_time": "23:59:59.999"}


def table(response: httpx2.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


@pytest.mark.parametrize(
    ("path", "query", "columns"),
    [
        ("eod", {"start_date": "20240102", "end_date": "20240105"}, "created,last_trade,open,high,low,close,volume,"
         "count,bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"),
        ("ohlc", {"date": "20240103", "interval": "1m"}, "timestamp,open,high,low,close,volume,count,vwap"),
        ("trade", {"date": "20240103"}, "timestamp,sequence,ext_condition1,ext_condition2,ext_condition3,"
         "ext_condition4,condition,size,exchange,price"),
        ("quote", {"date": "20240103", "interval": "1m"}, "timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,"
         "ask_exchange,ask,ask_condition"),
        ("trade_quote", {"date": "20240103"}, "trade_timestamp,quote_timestamp,sequence,ext_condition1,ext_condition2,"
         "ext_condition3,ext_condition4,condition,size,exchange,price,bid_size,bid_exchange,bid,bid_condition,ask_size,"
         "ask_exchange,ask,ask_condition"),
    ],
)  # fmt: skip
def test_columns_stand_in_the_vendors_order(
    terminal: httpx2.Client, path: str, query: dict[str, str], columns: str
) -> None:
    response = terminal.get(f"/v3/stock/history/{path}", params={"symbol": "AAPL", **query})

    assert response.text.split("\r\n")[0] == columns
    assert response.text.endswith("\r\n\r\n")
    assert response.headers["content-type"] == "text/csv"
    assert response.headers["server"] == "Jetty(12.0.14)"


@pytest.mark.parametrize("path", ["ohlc", "quote", "trade", "trade_quote"])
def test_all_formats_hold_the_same_rows(terminal: httpx2.Client, path: str) -> None:
    query = {**DAY, "interval": "5m", "end_time": "09:45:00"}
    answers = {
        form: terminal.get(f"/v3/stock/history/{path}", params={**query, "format": form})
        for form in ("csv", "json", "ndjson", "html")
    }

    rows = json.loads(answers["json"].text)["response"]
    assert [json.loads(line) for line in answers["ndjson"].text.splitlines()] == rows
    assert answers["html"].text.count("<tr>") == len(rows) + 1
    for text_row, row in zip(table(answers["csv"]), rows, strict=True):
        assert text_row.keys() == row.keys()
        for name, value in row.items():
            if isinstance(value, str):
                assert text_row[name][: len(value)] == value
            else:
                assert float(text_row[name]) == value


def test_small_bodies_have_a_length_and_large_ones_are_chunked(terminal: httpx2.Client) -> None:
    small = terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1h"})
    large = terminal.get("/v3/stock/history/trade", params=DAY)

    assert int(small.headers["content-length"]) == len(small.content)
    assert large.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in large.headers


def test_a_full_day_of_minutes_has_391_rows_and_the_last_is_zero(terminal: httpx2.Client) -> None:
    rows = table(terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1m"}))

    assert len(rows) == 391
    last, before = rows[-1], rows[-2]
    assert last["timestamp"] == "2024-01-03T16:00:00.000"
    assert (last["open"], last["volume"], last["count"], last["vwap"]) == ("0.0", "0", "0", before["vwap"])


def test_an_early_close_keeps_the_full_grid(terminal: httpx2.Client) -> None:
    rows = table(
        terminal.get("/v3/stock/history/ohlc", params={"symbol": "AAPL", "date": "20151224", "interval": "1h"})
    )

    assert [row["volume"] == "0" for row in rows] == [False, False, False, False, True, True, True]


def test_a_range_leaves_out_closed_days(terminal: httpx2.Client) -> None:
    query = {"symbol": "AAPL", "start_date": "20241223", "end_date": "20241230", "interval": "1h"}

    days = {row["timestamp"][:10] for row in table(terminal.get("/v3/stock/history/ohlc", params=query))}

    assert days == {"2024-12-23", "2024-12-24", "2024-12-26", "2024-12-27", "2024-12-30"}


@pytest.mark.parametrize(
    "query",
    [
        {"symbol": "AAPL", "date": "20240106"},
        {"symbol": "AAPL", "date": "20240101"},
        {"symbol": "NOPE", "date": "20240103"},
        {"symbol": "AAPL", "date": "20120531"},
        {"symbol": "AAPL", "date": "20991231"},
    ],
)
def test_nothing_found_is_472(terminal: httpx2.Client, query: dict[str, str]) -> None:
    response = terminal.get("/v3/stock/history/trade", params=query)

    assert (response.status_code, response.text) == (472, "No data found for your request")
    assert response.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("start", "end"), [("20990101", "20991231"), ("20120101", "20120531"), ("20240106", "20240107")]
)
def test_no_report_is_472(terminal: httpx2.Client, start: str, end: str) -> None:
    query = {"symbol": "AAPL", "start_date": start, "end_date": end}

    assert terminal.get("/v3/stock/history/eod", params=query).status_code == 472


def test_extended_hours_hold_more_trades(terminal: httpx2.Client) -> None:
    regular = table(terminal.get("/v3/stock/history/trade", params=DAY))
    extended = table(terminal.get("/v3/stock/history/trade", params={**DAY, **WHOLE_DAY}))

    assert len(extended) == 20_000
    assert len(regular) < len(extended)
    assert extended[len(extended) - 1]["condition"] == "1"


def test_a_million_rows_arrive(terminal: httpx2.Client) -> None:
    query = {"symbol": "LOAD", "date": "20240103", "interval": "tick"}

    body = terminal.get("/v3/stock/history/quote", params=query).content

    assert body.count(b"\r\n") == 1 + 1_000_000 + 1


def test_trade_quote_differs_by_exclusive(terminal: httpx2.Client) -> None:
    query = {"symbol": "LOAD", "date": "20240103", "end_time": "09:31:00"}
    exclusive = table(terminal.get("/v3/stock/history/trade_quote", params=query))
    inclusive = table(terminal.get("/v3/stock/history/trade_quote", params={**query, "exclusive": "false"}))

    assert all(row["quote_timestamp"] < row["trade_timestamp"] for row in exclusive)
    assert all(row["quote_timestamp"] <= row["trade_timestamp"] for row in inclusive)
    assert any(row["quote_timestamp"] == row["trade_timestamp"] for row in inclusive)


def test_prices_of_an_eod_row_share_one_scale(terminal: httpx2.Client) -> None:
    query = {"symbol": "AAPL", "start_date": "20240102", "end_date": "20240131"}
    for row in table(terminal.get("/v3/stock/history/eod", params=query)):
        scales = {len(row[name].partition(".")[2]) for name in ("open", "high", "low", "close", "bid", "ask")}
        assert scales in ({3}, {4})


def test_lists_and_calendar_are_quoted_text(terminal: httpx2.Client) -> None:
    assert '"BRK.B"\r\n' in terminal.get("/v3/stock/list/symbols").text
    assert terminal.get("/v3/stock/list/dates/trade", params={"symbol": "AAPL"}).text.startswith(
        'date\r\n"2012-06-01"\r\n'
    )
    closed = terminal.get("/v3/calendar/on_date", params={"date": "2024-12-25"})
    assert closed.text == 'type,open,close\r\n"full_close",,\r\n\r\n'
    holidays = terminal.get("/v3/calendar/year_holidays", params={"year": "2024", "format": "json"}).json()["response"]
    assert holidays[-1] == {"date": "2024-12-25", "type": "full_close", "open": None, "close": None}


def test_the_dialect_of_an_older_build_can_be_had(terminal: httpx2.Client) -> None:
    terminal.post("/__dialect", json={"quoted": False, "trimmed_times": True})

    assert "\r\nBRK.B\r\n" in terminal.get("/v3/stock/list/symbols").text
    rows = table(terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1h"}))
    assert rows[0]["timestamp"] == "2024-01-03T09:30:00"


def test_status_words_have_no_line_end(terminal: httpx2.Client) -> None:
    status = terminal.get("/v3/terminal/mdds/status")

    assert status.content == b"CONNECTED"
    assert (status.headers["content-length"], status.headers["content-type"]) == ("9", "text/plain")
    assert terminal.get("/v3/terminal/fpss/status").content == b"DISCONNECTED"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/hist/stock/trade?root=AAPL", 410),
        ("/v3/stock/history/trade?root=AAPL&date=20240103", 410),
        ("/v3/stock/history/nothing", 404),
        ("/v3/stock/history/trade", 400),
        ("/", 404),
    ],
)
def test_wrong_paths_and_names_are_told(terminal: httpx2.Client, path: str, status: int) -> None:
    assert terminal.get(path).status_code == status


def test_unknown_parameters_are_ignored(terminal: httpx2.Client) -> None:
    assert terminal.get("/v3/stock/history/trade", params={**DAY, "adjust": "splits"}).status_code == 200


def test_today_ends_now_and_its_report_comes_after_a_quarter_past_five(terminal: httpx2.Client) -> None:
    terminal.post("/__clock", json={"now": "2024-01-03T12:00:30"})
    eod = {"symbol": "AAPL", "start_date": "20240102", "end_date": "20240103"}

    bars = table(terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1m"}))
    trades = table(terminal.get("/v3/stock/history/trade", params=DAY))
    assert bars[-1]["timestamp"] == "2024-01-03T12:00:00.000"
    assert "2024-01-03T11:59" < trades[-1]["timestamp"] < "2024-01-03T12:01"
    assert len(table(terminal.get("/v3/stock/history/eod", params=eod))) == 1
    assert terminal.get("/v3/calendar/today").text.startswith("type,open,close")
    assert terminal.get("/v3/stock/history/trade", params={**DAY, "date": "20240104"}).status_code == 472

    terminal.post("/__clock", json={"now": "2024-01-03T17:19:00-05:00"})
    assert len(table(terminal.get("/v3/stock/history/eod", params=eod))) == 2
    assert len(table(terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1m"}))) == 391


def test_the_log_shows_what_was_asked(terminal: httpx2.Client) -> None:
    terminal.get("/v3/stock/history/trade", params={**DAY, "date": "20240106"})
    terminal.get("/v3/terminal/mdds/status")

    shown = terminal.get("/__requests", params={"path": "stock/history/trade"}).json()

    assert shown["by_path"] == {"stock/history/trade": 1, "terminal/mdds/status": 1}
    [entry] = shown["requests"]
    assert (entry["query"]["date"], entry["status"]) == ("20240106", 472)
