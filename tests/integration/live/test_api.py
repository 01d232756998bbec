"""The routes of the live service."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stoculus.streams import StreamSpec
from tests.integration.live.conftest import Running
from tests.integration.live.harness import Live
from tests.integration.services.harness import until


@pytest.fixture(scope="module")
def live(running: Running) -> Iterator[Live]:
    with running(sim_live_date="2024-01-03", sim_live_speed=20) as live:
        yield live


def spec(stream_id: str = "one", ticker: str = "CSCO", **changes: Any) -> dict[str, Any]:
    feeds = [{"asset": "stock", "ticker": ticker, "schema": changes.pop("schema", "trade")}]
    return {"stream_id": stream_id, "feeds": feeds, **changes}


def test_the_same_stream_again_is_the_same_and_another_one_is_refused(live: Live) -> None:
    live.want("one", *spec()["feeds"])

    assert live.put(StreamSpec.model_validate(spec())).status_code == 200
    answer = live.service.http.put("/v1/streams/one", json=spec(ticker="IBM"))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:stoculus:error:conflict")


def test_a_stopped_stream_is_gone_and_its_topic_stays(live: Live) -> None:
    [topic] = live.want("two", *spec("two", "IBM")["feeds"])
    until(lambda: (live.status("two") or {})["state"] == "running", "it runs")
    live.stop("two")

    assert live.service.http.delete("/v1/streams/two").status_code == 404
    mark = live.watermark(topic)
    assert mark is not None
    assert not mark.wanted
    assert [event.kind for event in live.events(topic)] == ["subscribed", "unsubscribed"]


def test_a_path_that_names_another_stream_is_refused(live: Live) -> None:
    answer = live.service.http.put("/v1/streams/three", json=spec())

    assert (answer.status_code, answer.json()["field"]) == (422, "stream_id")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"schema": "eod"}, "feeds[0].schema"),
        ({"schema": "quote1m"}, "feeds[0].interval"),
        ({"schema": "ohlcv100ms"}, "feeds[0].interval"),
        ({"ticker": "CSCOO"}, "feeds[0].ticker"),
        ({"warmup": "2w"}, "warmup"),
        ({"session": "night"}, "session"),
        ({"stream_id": "No Id"}, "stream_id"),
        ({"feedz": []}, "feedz"),
    ],
)
def test_a_wrong_field_is_named(live: Live, wrong: dict[str, Any], field: str) -> None:
    answer = live.service.http.post("/v1/streams:plan", json=spec(**{"stream_id": "four", **wrong}))

    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


def test_a_plan_says_what_would_be_subscribed(live: Live) -> None:
    answer = live.service.http.post("/v1/streams:plan", json=spec("five", "ORCL"))

    assert answer.json()["subscriptions"] == 1, answer.text


def test_bars_of_another_grid_are_refused(live: Live) -> None:
    live.want("six", *spec("six", "NKE", schema="ohlcv1m")["feeds"])
    body = spec("seven", "NKE", schema="ohlcv1m", session="regular")
    answer = live.service.http.put("/v1/streams/seven", json=body)

    assert (answer.status_code, answer.json()["field"]) == (409, "feeds[0]")


def test_metrics_tell_of_the_tape(live: Live) -> None:
    def told() -> dict[str, float]:
        families = text_string_to_metric_families(live.service.http.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return {"".join((sample.name, *sample.labels.values())): sample.value for sample in samples}

    [topic] = live.want("watched", *spec("watched", "CSCO", schema="quote")["feeds"])
    until(lambda: told()["stoculus_live_lag_ms_count"] >= 3, "records are acknowledged")
    until(lambda: "stoculus_live_ms_since_last_eventwatched" in told(), "the stream has a watermark")
    now = told()
    assert now["stoculus_live_lease"] == 1
    assert now["stoculus_live_messages_total"] >= now["stoculus_live_lag_ms_count"]
    assert 0 < now["stoculus_live_lag_ms_sum"] / now["stoculus_live_lag_ms_count"] < 5_000
    assert now["stoculus_live_ms_since_last_eventwatched"] >= 0
    assert now["stoculus_live_dropped_total"] == 0
    assert now["stoculus_producer_queue_messages"] < 1_000

    said = [line for line in live.service.log.read_text().splitlines() if topic in line]
    assert any('"kind":"subscribed"' in line for line in said)
