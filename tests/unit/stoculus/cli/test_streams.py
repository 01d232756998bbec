import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from stoculus.cli.main import main
from tests.unit.stoculus.cli.conftest import Canned
from tests.unit.stoculus.cli.test_stream_views import QUOTES, TRADES, stream

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def stoculus_stream(server: Canned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stoculus stream …`: exit code and stdout."""
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", server.url)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["stoculus", "stream", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


def answer(server: Canned, body: Any, status: int = 200) -> None:
    server.answers.append((status, "application/json", json.dumps(body)))


def test_a_stream_is_started_and_its_tape_is_named(server: Canned, stoculus_stream: Run) -> None:
    answer(server, stream(TRADES, QUOTES, state="starting"), 202)

    code, out = stoculus_stream("start", "--symbols", "AAPL", "--schema", "trade", "--warmup", "2d", "--id", "tape")

    (asked,) = server.asked
    assert asked[:2] == ("POST", "/v1/streams")
    assert json.loads(asked[2]) == {
        "stream_id": "tape",
        "warmup": "2d",
        "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}],
    }
    assert code == 0
    assert out.splitlines() == [
        "Stream tape is starting. Its topics:",
        "  trades",
        "  quotes",
        "See them: stoculus tape trades quotes",
    ]


def test_a_start_may_be_watched(server: Canned, stoculus_stream: Run) -> None:
    for state in ("starting", "failed"):
        answer(server, stream(TRADES, state=state), 202)

    code, out = stoculus_stream("start", "--symbols", "AAPL", "--schema", "trade", "--watch")

    assert (code, out.splitlines()[0]) == (1, "Stream tape: failed, session always.")


def test_streams_are_listed_in_a_table(server: Canned, stoculus_stream: Run) -> None:
    answer(server, {"streams": [stream(TRADES, QUOTES)]})

    header, _, row = stoculus_stream("list")[1].splitlines()

    assert header.split() == ["stream", "state", "session", "topics", "subscriptions", "lag", "gaps"]
    assert row.split() == ["tape", "running", "always", "2", "2,001", "2.5", "s", "1"]


def test_a_stream_is_shown_by_its_topics(server: Canned, stoculus_stream: Run) -> None:
    for _ in range(2):
        answer(server, stream(TRADES, QUOTES))

    lines = stoculus_stream("show", "tape")[1].splitlines()

    assert lines[0] == "Stream tape: running, session always."
    assert [line.split()[0] for line in lines[3:]] == ["trades", "quotes"]
    assert json.loads(stoculus_stream("show", "tape", "--json")[1]) == stream(TRADES, QUOTES)


def test_a_stream_is_stopped_and_its_topics_stay(server: Canned, stoculus_stream: Run) -> None:
    answer(server, stream(TRADES, state="stopping"), 202)

    assert stoculus_stream("stop", "tape") == (0, "Stream tape is stopping. Its topics stay.\n")
    assert server.asked == [("DELETE", "/v1/streams/tape", "")]
