import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
BARS = "stock-aapl-ohlcv1m-historical-"


@pytest.fixture(autouse=True)
def coordinator(coordinator_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", coordinator_url)


def bars(stoculus: Run, backtest_id: str, *more: str) -> tuple[int, str, str]:
    selection = ("--symbols", "AAPL", "--start", "2024-01-02", "--id", backtest_id)
    return stoculus("backtest", "submit", *selection, *more)


def test_a_submitted_file_is_watched_to_its_end(stoculus: Run, request_file: Path) -> None:
    code, out, _ = stoculus("backtest", "submit", str(request_file), "--watch")

    assert code == 0
    assert f"{BARS}file: completed, 780 records" in out
    assert out.splitlines()[-1].startswith("Backtest file completed: ")


def test_standard_input_is_a_request_too(stoculus: Run, request_file: Path) -> None:
    body = json.loads(request_file.read_text()) | {"backtest_id": "stdin"}

    code, out, _ = stoculus("backtest", "submit", "-", "--json", stdin=json.dumps(body).encode())

    assert (code, json.loads(out)["backtest_id"]) == (0, "stdin")
    assert stoculus("backtest", "watch", "stdin")[0] == 0


def test_a_backtest_of_options_is_waited_for_and_shown(stoculus: Run) -> None:
    code, out, _ = bars(stoculus, "options", "--wait")
    assert (code, out) == (0, "Backtest options completed: 390 records in 1 topics.\n")

    assert f"{BARS}options" in stoculus("backtest", "show", "options")[1]
    assert json.loads(stoculus("backtest", "show", "options", "--json")[1])["state"] == "completed"
    assert "options" in [one["backtest_id"] for one in json.loads(stoculus("backtest", "list", "--json")[1])]
    assert "completed" in stoculus("backtest", "list")[1]


def test_a_receipt_is_shown(stoculus: Run) -> None:
    bars(stoculus, "receipt", "--wait")

    (receipt,) = json.loads(stoculus("backtest", "receipt", "receipt", "--json")[1])["receipts"]
    table = stoculus("backtest", "receipt", "receipt")[1]

    assert receipt["records"] == 390
    assert receipt["hash"][:16] in table
    assert "2024-01-02 14:30:00.000" in table


def test_an_estimate_stores_nothing(stoculus: Run) -> None:
    code, out, _ = stoculus("backtest", "estimate", "--symbols", "AAPL,MSFT", "--start", "2024-01-02")

    assert code == 0
    assert out.splitlines()[-1].startswith("all")
    assert "estimate" not in stoculus("backtest", "list")[1]


def test_a_chain_goes_beside_a_stock(stoculus: Run) -> None:
    chain = ("--root", "SPXW", "--expirations", "2024-01-05", "--strikes", "4700:4710", "--right", "put")
    window = ("--schema", "quote", "--interval", "1h", "--start", "2024-01-04", "--end", "2024-01-05", "--id", "both")

    code, out, _ = stoculus("backtest", "submit", "--symbols", "AAPL", *chain, *window, "--wait")
    assert (code, out.startswith("Backtest both completed: ")) == (0, True)

    (_, receipt) = json.loads(stoculus("backtest", "receipt", "both", "--json")[1])["receipts"]
    topic = "option-spxw-quote1h-historical-both"
    assert (receipt["task_id"], receipt["records"] + receipt["empty_bars"]) == (topic, 42)
    first, *_ = stoculus("consume", topic, "--from", "2024-01-05T10:00", "--limit", "3")[1].splitlines()[1:]
    assert first.startswith("SPXW  240105P04700000  2024-01-05 10:30:00.000  SPXW  2024-01-05      4700  PUT ")


def test_contracts_are_named_one_by_one(stoculus: Run) -> None:
    contracts = ("--contract", "SPXW240105C04700000", "--contract", "AAPL  240105P00370000")

    code, out, _ = stoculus(
        "backtest", "submit", *contracts, "--schema", "eod", "--start", "2024-01-02", "--id", "named", "--wait"
    )

    assert (code, out) == (0, "Backtest named completed: 2 records in 2 topics.\n")
    lines = stoculus("consume", "option-aapl-eod-historical-named", "--json")[1].splitlines()
    assert [json.loads(line)["symbol"] for line in lines] == ["AAPL  240105P00370000"]


def test_an_estimate_says_how_the_vendor_will_be_asked(stoculus: Run) -> None:
    chain = ("--root", "SPXW", "--expirations", "all", "--schema", "trade", "--start", "2024-01-02")

    code, out, _ = stoculus("backtest", "estimate", *chain)

    assert code == 0
    assert "option-spxw-trade-historical-estimate: Requests a day: 1, for all expirations at once." in out.splitlines()


@pytest.mark.parametrize(
    ("chain", "field", "told"),
    [
        (("--root", "SPXV", "--dte", "0"), "data[0].root", "SPXW"),
        (("--root", "SPXW", "--expirations", "2024-01-06"), "data[0].expirations", "2024-01-05"),
        (("--root", "SPXW", "--expirations", "2024-01-05", "--strikes", "4701"), "data[0].strikes", "4700 and 4705"),
        (("--contract", "SPXW  240105C04701000"), "data[0].contracts[0]", "4700 and 4705"),
    ],
)
def test_what_the_vendor_does_not_list_is_refused_with_what_is_near(
    stoculus: Run, chain: tuple[str, ...], field: str, told: str
) -> None:
    code, _, err = stoculus("backtest", "submit", *chain, "--start", "2024-01-02")

    assert code == 1
    assert f"where: {field}" in err
    assert told in err


def test_a_refusal_names_field_and_remedy(stoculus: Run) -> None:
    code, out, err = stoculus("backtest", "submit", "--symbols", "AAPL,NOSUCH1", "--start", "2024-01-02")

    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "where: data[0].symbols[1]" in err
    assert "try: " in err


def test_a_cancelled_backtest_ends_a_watch_with_code_1(stoculus: Run) -> None:
    selection = ("--symbols", "AAPL", "--schema", "quote", "--start", "2023-01-03", "--end", "2023-12-29")
    stoculus("backtest", "submit", *selection, "--id", "long")

    assert stoculus("backtest", "pause", "long")[0] == 0
    assert stoculus("backtest", "resume", "long")[0] == 0
    assert stoculus("backtest", "cancel", "long")[0] == 0
    code, out, _ = stoculus("backtest", "watch", "long")

    assert code == 1
    assert "Backtest long cancelled" in out
    assert stoculus("backtest", "resume", "long")[0] == 1
    code, out, _ = stoculus("backtest", "delete", "long")
    assert (code, out.startswith("Backtest long is delet")) == (0, True)


def test_only_a_failed_backtest_can_be_retried(stoculus: Run) -> None:
    bars(stoculus, "fine", "--wait")

    code, _, err = stoculus("backtest", "retry", "fine", "--max-bad-rows", "3")

    assert code == 1
    assert "completed" in err


def test_an_unknown_backtest_is_told(stoculus: Run) -> None:
    code, _, err = stoculus("backtest", "watch", "no-such")

    assert code == 1
    assert "does not exist" in err


def test_topics_tell_what_the_checkpoints_say(stoculus: Run) -> None:
    bars(stoculus, "listed", "--wait")

    rows = {row["topic"]: row for row in json.loads(stoculus("topics", "--json")[1])}

    row = rows[f"{BARS}listed"]
    assert (row["backtest"], row["record"], row["state"], row["records"]) == ("listed", "StockOhlcv", "completed", 390)
    assert row["offsets"] > 390
    assert not any(name.startswith(("__", "stoculus.")) for name in rows)
    assert "stoculus.checkpoints" in stoculus("topics", "--all")[1]


def test_records_are_found_by_market_time(stoculus: Run) -> None:
    bars(stoculus, "seek", "--wait")
    topic = f"{BARS}seek"

    _, out, _ = stoculus("consume", topic, "--from", "2024-01-02T12:00", "--limit", "2", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["ts_event"] for line in lines] == ["2024-01-02T17:00:00Z", "2024-01-02T17:01:00Z"]

    table = stoculus("consume", topic, "--from", "2024-01-02T20:59:00Z")[1].splitlines()
    assert len(table) == 2
    assert "2024-01-02 15:59:00.000" in table[1]
    assert stoculus("consume", topic, "--from", "2024-01-03")[:2] == (0, "")


def test_groups_are_independent_and_go_on_where_they_stand(stoculus: Run) -> None:
    bars(stoculus, "groups", "--wait")
    topic = f"{BARS}groups"

    def rows(*options: str) -> int:
        return len(stoculus("consume", topic, "--csv", *options)[1].splitlines()[1:])

    assert rows("--group", "a", "--limit", "100") == 100
    assert rows("--group", "a") == 290
    assert rows("--group", "a") == 0
    assert rows("--group", "b") == 390
    assert rows() == 390


def test_a_topic_that_does_not_exist_is_told(stoculus: Run) -> None:
    code, _, err = stoculus("consume", "stock-nope")

    assert code == 1
    assert "error: There is no topic stock-nope." in err
