import json
from typing import Any

import pytest

from tests.unit.stoculus.cli.conftest import Canned, Run

BARS = "stock-aapl-ohlcv1m-historical-42"


def backtest(state: str, records: int = 0) -> dict[str, Any]:
    task = {"topic": BARS, "state": state, "records": records, "rows_expected": 390, "waiting": None}
    told = {"backtest_id": "42", "state": state, "records": records, "topics": [BARS]}
    return told | {"tasks": [task | {"failure": None, "warnings": []}]}


def event(snapshot: dict[str, Any]) -> str:
    return f"event: state\ndata: {json.dumps(snapshot)}\n\n"


def test_a_watched_backtest_is_an_object_a_line(server: Canned, stoculus: Run) -> None:
    way = [backtest("queued"), backtest("running", 200), backtest("completed", 390)]
    server.json(way[0])
    server.events(*map(event, way[1:]))

    code, out, err = stoculus("backtest", "watch", "42", "--json")

    assert [json.loads(line) for line in out.splitlines()] == way
    assert (code, err) == (0, "")


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("failed", 1)])
def test_one_that_is_waited_for_is_one_object(server: Canned, stoculus: Run, state: str, code: int) -> None:
    server.json(backtest("queued"), 202)
    server.json(backtest("queued"))
    server.events(event(backtest("running")), event(backtest(state)))

    submission = ("--symbols", "AAPL", "--start", "2024-01-02", "--wait", "--json")
    ended, out, err = stoculus("backtest", "submit", *submission)

    assert (ended, json.loads(out), err) == (code, backtest(state), "")
