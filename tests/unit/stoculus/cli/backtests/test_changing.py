import json

import pytest

from tests.unit.stoculus.cli.conftest import Canned, Run


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry"])
def test_a_change_is_asked_for_and_told(server: Canned, stoculus: Run, action: str) -> None:
    answer = {"backtest_id": "42", "wanted": "run", "state": "running"}
    for _ in range(2):
        server.json(answer)

    assert stoculus("backtest", action, "42") == (0, "Backtest 42: wanted is run, it is running.\n", "")
    code, out, err = stoculus("backtest", action, "42", "--json")

    assert (code, json.loads(out), err) == (0, answer, "")
    assert [asked[:2] for asked in server.asked] == [("POST", f"/v1/backtests/42:{action}")] * 2


def test_a_deletion_says_whether_the_topics_are_gone(server: Canned, stoculus: Run) -> None:
    answer = {"backtest_id": "42", "state": "deleted", "topics": ["a", "b"]}
    for _ in range(2):
        server.json(answer)

    assert stoculus("backtest", "delete", "42")[1] == "Backtest 42 is deleted, with 2 topics.\n"
    assert json.loads(stoculus("backtest", "delete", "42", "--json")[1]) == answer
    assert server.asked[0][:2] == ("DELETE", "/v1/backtests/42")


def test_a_retry_may_tolerate_malformed_rows(server: Canned, stoculus: Run) -> None:
    server.json({"backtest_id": "42", "wanted": "run", "state": "queued"})

    stoculus("backtest", "retry", "42", "--max-bad-rows", "3")

    assert json.loads(server.asked[0][2]) == {"max_bad_rows": 3}
