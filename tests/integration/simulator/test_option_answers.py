"""What a client sees on the wire of options."""

import csv
import io
import json
from collections import Counter

import httpx2
import pytest

from simulator.options.tables import CONTRACT, TABLES
from simulator.testing import running_simulator

CHAIN = {"symbol": "AAPL", "expiration": "20240105", "date": "20240103", "interval": "1h"}
REPORTS = {"symbol": "AAPL", "expiration": "20240105", "start_date": "20240102", "end_date": "20240105"}


def table(response: httpx2.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def ask(terminal: httpx2.Client, kind: str, **query: str) -> list[dict[str, str]]:
    days = REPORTS if kind.endswith("eod") else CHAIN
    return table(terminal.get(f"/v3/option/history/{kind}", params={**days, **query}))


@pytest.mark.parametrize("kind", TABLES)
def test_each_endpoint_answers_its_columns(terminal: httpx2.Client, kind: str) -> None:
    query = REPORTS if kind.endswith("eod") else CHAIN
    response = terminal.get(f"/v3/option/history/{kind}", params={**query, "strike_range": "3"})

    assert response.text.split("\r\n")[0] == ",".join(name for name, _ in (*CONTRACT, *TABLES[kind].columns))
    assert response.text.endswith("\r\n\r\n")
    assert response.headers["content-type"] == "text/csv"
    rows = table(response)
    assert {row["symbol"] for row in rows} == {"AAPL"}
    assert {row["right"] for row in rows} == {"CALL", "PUT"}
    assert len({row["strike"] for row in rows}) <= 3 * 2 + 1 + (4 if kind.endswith("eod") else 0)


def test_lists_lead_to_rows(terminal: httpx2.Client) -> None:
    def asked(path: str, **query: str) -> list[dict[str, str]]:
        return table(terminal.get(f"/v3/option/list/{path}", params=query))

    assert {"AAPL", "SPX", "SPXW"} <= {row["symbol"] for row in asked("symbols")}
    expirations = [row["expiration"] for row in asked("expirations", symbol="AAPL")]
    assert expirations == sorted(expirations)
    assert "2024-01-05" in expirations
    strikes = [row["strike"] for row in asked("strikes", symbol="AAPL", expiration="20240105")]
    assert strikes != sorted(strikes, key=float)
    assert "2024-01-03" in [row["date"] for row in asked("dates/quote", symbol="AAPL", expiration="20240105")]
    listed = asked("contracts/quote", symbol="AAPL", date="20240103", max_dte="2")
    assert {row["expiration"] for row in listed} == {"2024-01-05"}
    found = {(row["strike"], row["right"]) for row in ask(terminal, "quote")}
    assert found == {(row["strike"], row["right"]) for row in listed}
    assert {strike for strike, _ in found} <= set(strikes)


def test_all_expirations_of_a_day_are_the_sum_of_each(terminal: httpx2.Client) -> None:
    every = ask(terminal, "trade", expiration="*", max_dte="16")
    expirations = {row["expiration"] for row in every}
    assert len(expirations) > 1

    single = [row for expiration in expirations for row in ask(terminal, "trade", expiration=expiration)]

    assert Counter(tuple(row.values()) for row in every) == Counter(tuple(row.values()) for row in single)


def test_rows_of_a_contract_come_together_and_contracts_in_no_order(terminal: httpx2.Client) -> None:
    rows = [(float(row["strike"]), row["right"], row["timestamp"]) for row in ask(terminal, "quote")]
    contracts = list(dict.fromkeys((strike, right) for strike, right, _ in rows))

    assert len(rows) == 7 * len(contracts)
    assert rows == [row for contract in contracts for row in sorted(row for row in rows if row[:2] == contract)]
    assert contracts != sorted(contracts)


def test_bars_are_of_the_trades_and_most_are_zeros(terminal: httpx2.Client) -> None:
    bars = ask(terminal, "ohlc", interval="1m")
    trades = ask(terminal, "trade")

    assert sum(int(bar["volume"]) for bar in bars) == sum(int(trade["size"]) for trade in trades)
    assert sum(bar["volume"] == "0" for bar in bars) > 0.7 * len(bars)
    assert {bar["open"] for bar in bars if bar["volume"] == "0"} == {"0.0"}


def test_json_groups_by_contract(terminal: httpx2.Client) -> None:
    response = terminal.get("/v3/option/history/quote", params={**CHAIN, "format": "json"})

    groups = json.loads(response.text)["response"]
    flat = ask(terminal, "quote")
    assert [
        (f"{group['contract']['strike']:.3f}", group["contract"]["right"], len(group["data"])) for group in groups
    ] == [(strike, right, 7) for strike, right in dict.fromkeys((row["strike"], row["right"]) for row in flat)]
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        ("AAPL", "No data found for your request"),
        ("SPX", "No data found for your request. Note: Index options have special symbols."),
        ("NOSUCH", "No data found for your request"),
    ],
)
def test_nothing_found_is_472(terminal: httpx2.Client, symbol: str, text: str) -> None:
    response = terminal.get("/v3/option/history/quote", params={**CHAIN, "symbol": symbol, "date": "20240106"})

    assert (response.status_code, response.text) == (472, text)


def test_v2_names_and_bad_arguments_are_refused(terminal: httpx2.Client) -> None:
    old = terminal.get("/v3/option/list/strikes", params={"root": "AAPL", "exp": "20250221"})
    assert old.status_code == 410
    assert "\troot -> symbol\n\texp -> expiration\n" in old.text
    bars = terminal.get("/v3/option/history/ohlc", params={**CHAIN, "expiration": "*"})
    assert bars.status_code == 400
    days = terminal.get("/v3/option/history/trade", params={**REPORTS, "expiration": "%2A"})
    assert days.status_code == 400
    assert terminal.get("/v3/option/history/nothing", params=CHAIN).status_code == 404


def test_a_percent_encoded_star_is_a_star(terminal: httpx2.Client) -> None:
    raw = terminal.get("/v3/option/history/open_interest?symbol=AAPL&date=20240103&expiration=*")
    encoded = terminal.get("/v3/option/history/open_interest?symbol=AAPL&date=20240103&expiration=%2A")

    assert raw.status_code == 200
    assert raw.text == encoded.text


def test_faults_strike_option_requests(terminal: httpx2.Client) -> None:
    match = {"path": "option/history/quote", "symbol": "AAPL", "date": "2024-01-03"}
    whole = terminal.get("/v3/option/history/quote", params=CHAIN).text
    terminal.post("/__faults", json={"match": match, "times": 1, "fault": {"kind": "status", "status": 570}})
    damage = {"kind": "revised", "row": 5, "column": "bid"}
    terminal.post("/__faults", json={"match": match, "times": 1, "fault": damage})
    terminal.post("/__faults", json={"match": match, "times": 1, "fault": {"kind": "column_missing", "column": "ask"}})

    answers = [terminal.get("/v3/option/history/quote", params=CHAIN) for _ in range(4)]

    assert answers[0].status_code == 570
    lines = zip(answers[1].text.split("\r\n"), whole.split("\r\n"), strict=True)
    assert [number for number, (one, other) in enumerate(lines) if one != other] == [5]
    assert "ask" not in table(answers[2])[0]
    assert answers[3].text == whole


def test_option_requests_are_logged(terminal: httpx2.Client) -> None:
    terminal.delete("/__requests")
    ask(terminal, "open_interest", right="call")

    shown = terminal.get("/__requests", params={"path": "option/history/open_interest", "symbol": "AAPL"}).json()
    [entry] = shown["requests"]
    assert (entry["query"]["right"], entry["status"]) == ("call", 200)


def test_the_dialect_is_that_of_an_older_build(terminal: httpx2.Client) -> None:
    terminal.post("/__dialect", json={"quoted": False, "trimmed_times": True})
    response = terminal.get("/v3/option/history/quote", params={**CHAIN, "strike_range": "1"})

    assert '"' not in response.text
    assert "T09:30:00," in response.text


def test_a_day_goes_as_far_as_the_clock(terminal: httpx2.Client) -> None:
    terminal.post("/__clock", json={"now": "2024-01-03T11:00:00"})

    assert {row["timestamp"] for row in ask(terminal, "quote")} == {
        "2024-01-03T09:30:00.000",
        "2024-01-03T10:30:00.000",
    }
    assert {row["created"][:10] for row in ask(terminal, "eod")} == {"2024-01-02"}
    assert {row["timestamp"][:10] for row in ask(terminal, "greeks/eod")} == {"2024-01-02"}
    assert len(ask(terminal, "open_interest")) > 0


def test_a_tier_too_low_is_403_with_the_tier_it_needs() -> None:
    with running_simulator(sim_tier="value") as url, httpx2.Client(base_url=url, timeout=30) as terminal:
        refused = {
            kind: terminal.get(f"/v3/option/history/{kind}", params=CHAIN)
            for kind in ("trade", "greeks/first_order", "greeks/all")
        }
        fine = terminal.get("/v3/option/history/quote", params={**CHAIN, "interval": "30s"})
        old = terminal.get("/v3/option/list/contracts/quote", params={"symbol": "AAPL", "date": "20191231"})
        answered = terminal.get("/v3/option/history/quote", params={**CHAIN, "strike_range": "1"})

    for response, tier in ((refused["trade"], "standard"), (refused["greeks/first_order"], "standard"),
                           (refused["greeks/all"], "professional"), (fine, "standard"), (old, "standard")):  # fmt: skip
        assert response.status_code == 403
        assert (
            f"Requesting an option endpoint requiring a {tier} subscription, but you only have a VALUE" in response.text
        )
    assert answered.status_code == 200
