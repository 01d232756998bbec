"""A backtest through the API, with the real service, vendor simulator, broker and registry."""

import csv
import io
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest

from stoculus.kafka.compacted import CompactedLog
from tests.integration.coordinator.stack import Stack, request, until


def bars(*symbols: str) -> list[dict[str, Any]]:
    return [{"asset": "stock", "symbols": list(symbols), "schema": "ohlcv"}]


def quotes(*symbols: str) -> list[dict[str, Any]]:
    return [{"asset": "stock", "symbols": list(symbols), "schema": "quote"}]


def newest(stack: Stack, topic: str) -> dict[str, bytes | None]:
    """The newest value of each key of a compacted topic."""
    log = CompactedLog(stack.broker.kafka, topic)
    try:
        return dict(log.read_past_ends())
    finally:
        log.close()


def test_a_day_of_bars_goes_from_post_to_receipt(stack: Stack) -> None:
    submitted = stack.submit(backtest_id="way", data=bars("AAPL", "MSFT"))
    done = stack.wait_for("way", "completed", "failed")

    assert submitted["topics"] == ["stock-aapl-ohlcv1m-historical-way", "stock-msft-ohlcv1m-historical-way"]
    assert done["state"] == "completed", done
    assert [task["state"] for task in done["tasks"]] == ["completed", "completed"]
    receipt = stack.api.get("/v1/backtests/way/receipt").raise_for_status().json()
    assert receipt["records"] == done["records"] == sum(one["records"] for one in receipt["receipts"])
    manifest = until(lambda: _completed(newest(stack, "stoculus.backtests").get("way")), "the manifest says completed")
    assert manifest["topics"][0]["records"] == receipt["receipts"][0]["records"]
    assert manifest["topics"][0]["last_offset"] == receipt["receipts"][0]["last_offset"]


def _completed(manifest: bytes | None) -> dict[str, Any] | None:
    value = json.loads(manifest) if manifest else {}
    return value if value.get("state") == "completed" else None


def test_records_are_paged_to_the_end_in_every_format(stack: Stack) -> None:
    stack.submit(backtest_id="pages")
    done = stack.wait_for("pages", "completed")
    rows: list[dict[str, Any]] = []
    url: str | None = "/v1/backtests/pages/records?limit=150"
    while url:
        page = stack.api.get(url).raise_for_status()
        rows += [orjson.loads(line) for line in page.text.splitlines()]
        url = page.links["next"]["url"] if "next" in page.links else None

    assert len(rows) == done["records"] > 300
    assert [row["ts_event"] for row in rows] == sorted(row["ts_event"] for row in rows)

    all_of_it = "/v1/backtests/pages/records?limit=1000"
    table = csv.DictReader(io.StringIO(stack.api.get(all_of_it, headers={"accept": "text/csv"}).text))
    assert [float(row["close"]) for row in table] == [row["close"] for row in rows]
    arrow = stack.api.get(all_of_it, headers={"accept": "application/vnd.apache.arrow.stream"})
    assert pa.ipc.open_stream(arrow.content).read_all()["close"].to_pylist() == [row["close"] for row in rows]


def test_records_are_found_by_their_market_time(stack: Stack) -> None:
    stack.submit(backtest_id="times")
    stack.wait_for("times", "completed")

    for text in ("2024-01-02T10:00", "2024-01-02T15:00:00Z", "2024-01-02T10:00:00-05:00"):
        page = stack.api.get("/v1/backtests/times/records", params={"from": text, "limit": 1})
        assert datetime.fromisoformat(orjson.loads(page.content)["ts_event"]).isoformat() == "2024-01-02T15:00:00+00:00"
    after = stack.api.get("/v1/backtests/times/records", params={"from": "2024-01-03"})
    assert (after.content, after.headers.get("x-next-cursor")) == (b"", None)


def test_records_say_which_topics_there_are(stack: Stack) -> None:
    stack.submit(backtest_id="which", data=bars("AAPL", "MSFT"))

    missing = stack.api.get("/v1/backtests/which/records")
    wrong = stack.api.get("/v1/backtests/which/records?topic=stock-aapl-ohlcv1m-historical-way")
    both = stack.api.get("/v1/backtests/which/records?from=2024-01-02&cursor=1")

    assert [a.status_code for a in (missing, wrong, both)] == [422, 422, 422]
    assert "stock-msft-ohlcv1m-historical-which" in missing.json()["remedy"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"data": [*bars("AAPL"), *quotes("MSFT", "NOSUCHSYMBOL")]}, 422, "data[1].symbols[1]"),
        ({"data": [*bars("AAPL"), *quotes("MSFT", "A PL")]}, 422, "data[1].symbols[1]"),
        ({"data": bars("AAPL", "aapl")}, 422, "data[0].symbols[1]"),
        ({"data": bars("AAPL"), "sesion": "regular"}, 422, "sesion"),
        ({"data": [{"asset": "option", "root": "SPXW", "schema": "quote"}]}, 422, "data[0].expirations"),
        (
            {"data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade", "interval": "1m"}]},
            422,
            "data[0].interval",
        ),
        ({"data": bars(*(f"S{n}" for n in range(10_000)))}, 422, "data[0].symbols"),
        ({"start": "2024-01-03"}, 422, "start"),
        ({"start": "2024-01-06", "end": "2024-01-07"}, 422, "start"),
        ({"start": "2029-01-02", "end": "2029-01-03"}, 422, "end"),
        ({"data": bars("A" * 2_000_000)}, 413, None),
        ({"backtest_id": "a.b"}, 422, "backtest_id"),
    ],
)
def test_bad_input_is_refused_with_field_and_remedy_and_nothing_is_created(
    stack: Stack, body: dict[str, Any], status: int, field: str | None
) -> None:
    listed, topics = stack.api.get("/v1/backtests").json()["backtests"][:1], stack.topics()

    answer = stack.api.post("/v1/backtests", json=request(**body))

    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    assert answer.json()["remedy"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert [b["backtest_id"] for b in stack.api.get("/v1/backtests").json()["backtests"][:1]] == [
        b["backtest_id"] for b in listed
    ]
    # An earlier test's backtest may still get its topics meanwhile.
    known = tuple(f"-{b['backtest_id']}" for b in stack.api.get("/v1/backtests").json()["backtests"])
    assert [topic for topic in stack.topics() - topics if not topic.endswith(known)] == []


def test_the_same_post_two_hundred_times_at_once_is_one_backtest(stack: Stack) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: stack.api.post("/v1/backtests", json=request(backtest_id="many")), range(200))
        )

    assert Counter(answer.status_code for answer in answers) == {202: 1, 200: 199}
    assert {answer.json()["backtest_id"] for answer in answers} == {"many"}


def test_without_an_id_each_post_is_a_backtest_of_its_own(stack: Stack) -> None:
    assert stack.submit()["backtest_id"] != stack.submit()["backtest_id"]


def test_an_id_with_another_body_is_a_conflict_that_says_what_differs(stack: Stack) -> None:
    stack.submit(backtest_id=7)
    same = stack.api.post("/v1/backtests", json=request(backtest_id="7", session="regular", data=bars("aapl")))
    other = stack.api.post("/v1/backtests", json=request(backtest_id="7", data=bars("MSFT")))

    assert same.status_code == 200
    assert other.status_code == 409
    assert "data[0].symbols is ['AAPL'] in the stored request and ['MSFT'] in this one" in other.json()["detail"]


def test_a_deleted_backtest_leaves_nothing_but_its_id(stack: Stack) -> None:
    stack.submit(backtest_id="gone")
    stack.wait_for("gone", "completed")

    answer = stack.api.delete("/v1/backtests/gone")

    assert (answer.status_code, answer.json()["state"]) == (200, "deleted")
    assert not [topic for topic in stack.topics() if "-gone" in topic]
    assert newest(stack, "stoculus.checkpoints")["stock-aapl-ohlcv1m-historical-gone"] is None
    assert newest(stack, "stoculus.backtests")["gone"] is None
    assert stack.api.get("/v1/backtests/gone").status_code == 404
    assert stack.api.delete("/v1/backtests/gone").status_code == 404
    again = stack.api.post("/v1/backtests", json=request(backtest_id="gone"))
    assert (again.status_code, again.json()["field"]) == (409, "backtest_id")


def test_a_running_backtest_can_be_deleted(stack: Stack) -> None:
    stack.fault(match={"symbol": "IBM"}, times=1, fault={"kind": "slow", "bytes_per_s": 20_000})
    stack.submit(backtest_id="midway", data=quotes("IBM"))
    stack.wait_for("midway", "running")

    assert stack.api.delete("/v1/backtests/midway").status_code in (200, 202)
    until(lambda: not [topic for topic in stack.topics() if "-midway" in topic], "its topics are gone")


def test_a_ttl_deletes_by_itself(stack: Stack) -> None:
    stack.submit(backtest_id="brief", ttl="1s")

    until(lambda: stack.api.get("/v1/backtests/brief").status_code == 404, "it is deleted")
    until(lambda: not [topic for topic in stack.topics() if "-brief" in topic], "its topics are gone")


def test_pause_resume_and_cancel_take_effect_at_any_moment(stack: Stack) -> None:
    stack.fault(match={"symbol": "GE"}, times=2, fault={"kind": "slow", "bytes_per_s": 100_000})
    stack.submit(backtest_id="moody", start="2024-01-02", end="2024-01-12", data=quotes("GE"))
    stack.wait_for("moody", "running")

    def act(action: str) -> int:
        return stack.api.post(f"/v1/backtests/moody:{action}").status_code

    assert act("pause") == 200
    paused = stack.wait_for("moody", "paused")
    assert paused["tasks"][0]["state"] == "paused"
    assert act("pause") == 200
    assert act("retry") == 409
    assert act("resume") == 200
    stack.wait_for("moody", "running")
    assert act("cancel") == 200
    stack.wait_for("moody", "cancelled")
    assert (act("cancel"), act("resume"), act("pause"), act("retry")) == (200, 409, 409, 409)
    assert stack.api.get("/v1/backtests/moody/receipt").status_code == 409


def test_a_backtest_that_was_paused_and_resumed_completes(stack: Stack) -> None:
    stack.fault(match={"symbol": "F"}, times=1, fault={"kind": "slow", "bytes_per_s": 200_000})
    stack.submit(backtest_id="patient", start="2024-01-02", end="2024-01-05", data=quotes("F"))
    stack.wait_for("patient", "running")
    stack.api.post("/v1/backtests/patient:pause").raise_for_status()
    stack.wait_for("patient", "paused", "completed")
    stack.api.post("/v1/backtests/patient:resume")

    assert stack.wait_for("patient", "completed", "failed")["state"] == "completed"


def test_a_bad_row_fails_the_task_and_retry_goes_on(stack: Stack) -> None:
    stack.fault(match={"symbol": "T"}, fault={"kind": "nan", "row": 5, "column": "close"}, times=3)
    stack.submit(backtest_id="bad", data=bars("AAPL", "T"))
    failed = stack.wait_for("bad", "failed", "completed")

    assert failed["state"] == "failed", failed
    assert [task["state"] for task in failed["tasks"]] == ["completed", "failed"]
    assert failed["tasks"][1]["failure"]["code"] == "too_many_bad_rows"
    assert stack.api.post("/v1/backtests/bad:retry", json={"max_bad_row": 1}).json()["remedy"] == (
        "Did you mean 'max_bad_rows'?"
    )
    retried = stack.api.post("/v1/backtests/bad:retry", json={"max_bad_rows": 10}).raise_for_status().json()
    assert (retried["attempt"], retried["max_bad_rows"], retried["state"]) == (2, 10, "running")
    done = stack.wait_for("bad", "completed", "failed")
    assert done["state"] == "completed", done
    assert done["tasks"][1]["bad_rows"] == 1
    assert stack.api.post("/v1/backtests/bad:retry").status_code == 409


def test_an_estimate_stores_nothing(stack: Stack) -> None:
    answer = stack.api.post("/v1/backtests:estimate", json=request(backtest_id="maybe", data=bars("AAPL", "MSFT")))

    estimate = answer.raise_for_status().json()
    assert estimate["topics"] == ["stock-aapl-ohlcv1m-historical-maybe", "stock-msft-ohlcv1m-historical-maybe"]
    assert estimate["requests"] >= 2
    assert estimate["rows"] == sum(task["rows"] for task in estimate["tasks"]) > 0
    assert estimate["partitions"]["new"] == 2
    assert stack.api.get("/v1/backtests/maybe").status_code == 404
    assert stack.api.post("/v1/backtests:estimate", json=request(data=bars("NOSUCH"))).status_code == 422


def test_the_list_is_paged_from_the_newest(stack: Stack) -> None:
    ids = [stack.submit(backtest_id=f"page{n}")["backtest_id"] for n in range(5)]

    first = stack.api.get("/v1/backtests?limit=2").json()
    second = stack.api.get("/v1/backtests", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    shown = [one["backtest_id"] for page in (first, second) for one in page["backtests"]]
    assert shown == ids[:0:-1]
    assert all({"backtest_id", "state", "topics"} <= one.keys() for one in first["backtests"])
    assert stack.api.get("/v1/backtests?cursor=nothing").json()["field"] == "cursor"


def test_events_tell_the_whole_state_until_it_is_terminal(stack: Stack) -> None:
    stack.submit(backtest_id="seen", data=bars("AAPL", "MSFT"))

    with stack.api.stream("GET", "/v1/backtests/seen/events") as stream:
        lines = [line for line in stream.iter_lines() if line]

    states = [orjson.loads(line.removeprefix("data: "))["state"] for line in lines if line.startswith("data: ")]
    assert states[-1] == "completed"
    assert {"event: state", "id: 1"} <= set(lines)


def test_who_leaves_an_event_stream_leaves_nothing_behind(stack: Stack) -> None:
    stack.fault(match={"symbol": "KO"}, times=1, fault={"kind": "slow", "bytes_per_s": 20_000})
    stack.submit(backtest_id="left", data=quotes("KO"))

    def watch() -> None:
        with stack.api.stream("GET", "/v1/backtests/left/events") as stream:
            next(stream.iter_lines())

    threads = [threading.Thread(target=watch) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: "stoculus_watchers 0.0" in stack.api.get("/metrics").text, "nobody watches")
    stack.api.delete("/v1/backtests/left")


def test_what_does_not_exist_is_a_404(stack: Stack) -> None:
    for path in ("", "/events", "/receipt", "/records"):
        assert stack.api.get(f"/v1/backtests/nobody{path}").status_code == 404
    assert stack.api.post("/v1/backtests/nobody:pause").status_code == 404
    assert stack.api.delete("/v1/backtests/nobody").status_code == 404


def test_the_api_is_documented(stack: Stack) -> None:
    paths = stack.api.get("/openapi.json").json()["paths"]

    assert "/v1/backtests/{backtest_id}:retry" in paths
    assert 'stoculus_backtests{state="completed"}' in stack.api.get("/metrics").text
