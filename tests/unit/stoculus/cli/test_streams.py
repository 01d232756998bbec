import json

from tests.unit.stoculus.cli.conftest import Canned, Run
from tests.unit.stoculus.cli.test_stream_views import QUOTES, TRADES, stream


def test_a_stream_is_started_and_its_tape_is_named(server: Canned, stoculus: Run) -> None:
    server.json(stream(TRADES, QUOTES, state="starting"), 202)

    code, out, _ = stoculus(
        "stream", "start", "--symbols", "AAPL", "--schema", "trade", "--warmup", "2d", "--id", "tape"
    )

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


def test_a_start_may_be_watched(server: Canned, stoculus: Run) -> None:
    for state in ("starting", "failed"):
        server.json(stream(TRADES, state=state), 202)

    code, out, _ = stoculus("stream", "start", "--symbols", "AAPL", "--schema", "trade", "--watch")

    assert (code, out.splitlines()[0]) == (1, "Stream tape: failed, session always.")


def test_streams_are_listed_in_a_table(server: Canned, stoculus: Run) -> None:
    server.json({"streams": [stream(TRADES, QUOTES)]})

    header, _, row = stoculus("stream", "list")[1].splitlines()

    assert header.split() == ["stream", "state", "session", "topics", "subscriptions", "lag", "gaps"]
    assert row.split() == ["tape", "running", "always", "2", "2,001", "2.5", "s", "1"]


def test_a_stream_is_shown_by_its_topics(server: Canned, stoculus: Run) -> None:
    for _ in range(2):
        server.json(stream(TRADES, QUOTES))

    lines = stoculus("stream", "show", "tape")[1].splitlines()

    assert lines[0] == "Stream tape: running, session always."
    assert [line.split()[0] for line in lines[3:]] == ["trades", "quotes"]
    assert json.loads(stoculus("stream", "show", "tape", "--json")[1]) == stream(TRADES, QUOTES)


def test_a_stream_is_stopped_and_its_topics_stay(server: Canned, stoculus: Run) -> None:
    server.json(stream(TRADES, state="stopping"), 202)

    assert stoculus("stream", "stop", "tape") == (0, "Stream tape is stopping. Its topics stay.\n", "")
    assert server.asked == [("DELETE", "/v1/streams/tape", "")]


def test_a_watched_stream_is_an_object_a_line(server: Canned, stoculus: Run) -> None:
    server.json(stream(TRADES))
    server.events(
        *(f"event: state\ndata: {json.dumps(stream(TRADES, state=state))}\n\n" for state in ("waiting", "failed"))
    )

    code, out, err = stoculus("stream", "show", "tape", "--watch", "--json")

    assert [json.loads(line)["state"] for line in out.splitlines()] == ["running", "waiting", "failed"]
    assert (code, err) == (1, "")
