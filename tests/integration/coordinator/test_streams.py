"""Streams through the API of a real coordinator on a real broker; the live service says what a test wants."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

from stoculus import topics
from stoculus.errors import InvalidRequest, TierTooLow, VendorUnreachable
from stoculus.kafka import admin
from stoculus.streams import Watermark
from tests.conftest import Broker
from tests.integration.coordinator.live_stand_in import LiveStandIn
from tests.integration.coordinator.stack import Stack, running_stack, until

NOBODY = "http://127.0.0.1:9"
OSI = ("SPXW  240105C04700000", "SPXW  240105P04700000", "SPX   240119C04700000")


def stocks(*symbols: str, schema: str = "trade", **more: Any) -> dict[str, Any]:
    return {"asset": "stock", "symbols": list(symbols), "schema": schema, **more}


@pytest.fixture(scope="module")
def service() -> Iterator[LiveStandIn]:
    service = LiveStandIn()
    service.start()
    yield service
    service.end()


@pytest.fixture(scope="module")
def shared(broker: Broker, service: LiveStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"STOCULUS_LIVE_STREAM_URL": service.url, "STOCULUS_LIVE_RETENTION_BYTES": str(2**28)}
    with running_stack(broker, NOBODY, NOBODY, tmp_path_factory.mktemp("streams"), **settings) as stack:
        stack.coordinator.start()
        yield stack


@pytest.fixture
def live(service: LiveStandIn) -> LiveStandIn:
    """The live service as at its start."""
    service.reset()
    return service


@pytest.fixture
def stack(shared: Stack, live: LiveStandIn) -> Stack:
    """A coordinator without streams."""
    for stream in shared.api.get("/v1/streams").json()["streams"]:
        shared.api.delete(f"/v1/streams/{stream['stream_id']}").raise_for_status()
    until(lambda: shared.api.get("/v1/streams").json() == {"streams": []}, "all streams are gone")
    live.puts.clear()
    return shared


def post(stack: Stack, **body: Any) -> httpx2.Response:
    return stack.api.post("/v1/streams", json={"data": [stocks("AAPL")]} | body)


def show(stack: Stack, stream_id: str) -> dict[str, Any]:
    answer = stack.api.get(f"/v1/streams/{stream_id}")
    return {"state": None} if answer.status_code == 404 else dict(answer.raise_for_status().json())


def wait_for(stack: Stack, stream_id: str, state: str | None) -> dict[str, Any]:
    """Wait for a state of a stream; None: it is gone."""

    def reached() -> dict[str, Any] | None:
        try:
            now = show(stack, stream_id)
        except httpx2.HTTPError:
            return None
        return now if now["state"] == state else None

    found: dict[str, Any] = until(reached, f"{stream_id} is {state}")
    return found


def write(stack: Stack, topic: str, key: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.broker.bootstrap})
    producer.produce(topic, value, key)
    assert producer.flush(10) == 0


def test_a_stream_goes_from_post_to_gone_and_its_topics_stay(stack: Stack, live: LiveStandIn) -> None:
    live.topic_status = {"records": 7, "last_event_us": 1_704_207_600_250_000, "lag_ms": 3, "gaps": 1}
    data = [stocks("MSFT", "brk/b"), {"asset": "option", "contracts": list(OSI), "schema": "quote"}]

    submitted = post(stack, stream_id="tape", session="extended", data=data)
    running = wait_for(stack, "tape", "running")

    assert (submitted.status_code, submitted.headers["location"]) == (202, "/v1/streams/tape")
    assert submitted.json()["notes"] == ["So."]
    names = ["option-spx-quote-live", "option-spxw-quote-live", "stock-brk.b-trade-live", "stock-msft-trade-live"]
    assert [topic["topic"] for topic in submitted.json()["topics"]] == names
    assert set(names) <= stack.topics()
    assert [feed.symbol for feed in live.specs["tape"].feeds] == ["MSFT", "BRK.B", "SPXW", "SPX"]
    assert (running["wanted"], running["session"], running["request"]["data"][0]["symbols"]) == (
        *("run", "extended"),
        ["MSFT", "BRK.B"],
    )
    told = running["topics"][0]
    assert (told["records"], told["last_event"], told["lag_ms"], told["gaps"], told["late"]) == (
        *(7, "2024-01-02T15:00:00.250000Z"),
        *(3, 1, 0),
    )
    assert show(stack, "tape") in stack.api.get("/v1/streams").json()["streams"]
    assert 'stoculus_streams{state="running"} 1.0' in stack.api.get("/metrics").text

    live.lets_go = False
    assert stack.api.delete("/v1/streams/tape").status_code == 202
    until(lambda: live.stopping, "the service is told")
    assert stack.api.delete("/v1/streams/tape").json()["state"] == "stopping"
    assert post(stack, stream_id="tape").json()["field"] == "stream_id"
    live.lets_go = True
    wait_for(stack, "tape", None)
    assert stack.api.delete("/v1/streams/tape").status_code == 404
    assert set(names) <= stack.topics()
    assert post(stack, stream_id="tape").status_code == 202


def test_live_topics_keep_old_records_and_have_a_size(stack: Stack, live: LiveStandIn) -> None:
    post(stack, stream_id="sized", data=[stocks("SIZE")])
    wait_for(stack, "sized", "running")

    resource = ConfigResource(ConfigResource.Type.TOPIC, "stock-size-trade-live")
    client = admin.connect(stack.broker.kafka)
    config = client.describe_configs([resource])[resource].result()

    names = ("retention.ms", "segment.ms", "retention.bytes", "segment.bytes")
    assert [config[name].value for name in names] == ["-1", str(admin.NEVER_ROLL_MS), str(2**28), str(2**26)]


def test_the_same_post_is_the_same_stream_and_another_is_a_conflict(stack: Stack, live: LiveStandIn) -> None:
    assert post(stack, stream_id=7, data=[stocks("GE", "F")], warmup="2d").status_code == 202
    wait_for(stack, "7", "running")

    same = post(stack, stream_id="7", data=[stocks("f", "ge")], session="always", warmup="02d")
    other = post(stack, stream_id="7", data=[stocks("F")], warmup="2d")

    assert same.status_code == 200
    assert other.status_code == 409
    assert "data[0].symbols is ['F', 'GE'] in the stored request and ['F'] in this one" in other.json()["detail"]
    assert post(stack).json()["stream_id"] != post(stack).json()["stream_id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"data": [stocks("AAPL"), stocks("AAPL", schema="eod")]}, "data[1].schema"),
        ({"data": [stocks("AAPL", schema="quote", interval="1m")]}, "data[0].interval"),
        ({"data": [stocks("AAPL", schema="ohlcv", interval="100ms")]}, "data[0].interval"),
        ({"data": [stocks("AAPL", "A PL")]}, "data[0].symbols[1]"),
        (
            {"data": [{"asset": "option", "root": "SPXW", "expirations": "all", "schema": "greeksall"}]},
            "data[0].schema",
        ),
        ({"data": [{"asset": "option", "root": "SPXW", "schema": "quote"}]}, "data[0].expirations"),
        ({"data": []}, "data"),
        ({"warmup": "2 days"}, "warmup"),
        ({"warmup": "31d"}, "warmup"),
        ({"session": "night"}, "session"),
        ({"stream_id": "a.b"}, "stream_id"),
        ({"start": "2024-01-02"}, "start"),
    ],
)
def test_bad_input_is_refused_with_field_and_remedy(stack: Stack, body: dict[str, Any], field: str) -> None:
    answer = post(stack, **body)

    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text
    assert answer.json()["remedy"]
    assert stack.api.get("/v1/streams").json() == {"streams": []}


def test_what_the_live_service_refuses_is_told_in_the_words_of_the_request(stack: Stack, live: LiveStandIn) -> None:
    options = {"asset": "option", "contracts": [*OSI[:2], OSI[2]], "schema": "trade"}
    data = [stocks("AAPL", "MSFT"), stocks("MSFT", "NOSUCH"), options]
    for told, field in [
        ("feeds[2].ticker", "data[1].symbols[1]"),
        ("feeds[3].contracts[1]", "data[2].contracts[1]"),
        ("feeds[4].contracts[0]", "data[2].contracts[2]"),
        ("feeds[4].root", "data[2].contracts[2]"),
        ("session", "session"),
    ]:
        live.refuses_plan = InvalidRequest("Not so.", remedy="Otherwise.", field=told)
        answer = post(stack, stream_id="refused", data=data)
        assert (answer.status_code, answer.json()["field"], answer.json()["remedy"]) == (422, field, "Otherwise.")

    live.refuses_plan = VendorUnreachable("The terminal is down.")
    away = post(stack, stream_id="refused")
    assert (away.status_code, "retry-after" in away.headers) == (503, True)
    live.end()
    assert post(stack, stream_id="refused").status_code == 503
    assert show(stack, "refused")["state"] is None


def test_a_warm_up_of_a_topic_with_records_is_refused_with_the_time_of_its_start(
    stack: Stack, live: LiveStandIn
) -> None:
    admin.create_topics(admin.connect(stack.broker.kafka), ["stock-warm-trade-live"], admin.DATA_CONFIG)
    assert post(stack, stream_id="cold", warmup="1d", data=[stocks("WARM")]).status_code == 202
    assert "fills the topic" in post(stack, stream_id="second", warmup="1d", data=[stocks("WARM")]).json()["detail"]
    stack.api.delete("/v1/streams/cold")
    wait_for(stack, "cold", None)

    write(stack, "stock-warm-trade-live", "WARM", b"a record")
    body = {"stream_id": "late", "warmup": "1d", "data": [stocks("WARM")]}
    unknown = post(stack, **body)
    times = {"complete_from_us": 1_704_207_600_000_000, "complete_until_us": 1_704_211_200_000_000}
    watermark = Watermark(topic="stock-warm-trade-live", offset=1, wanted=True, written_us=1, **times)
    write(stack, topics.WATERMARKS, watermark.topic, watermark.model_dump_json().encode())
    until(lambda: "complete from 2024-01-02T15:00:00" in post(stack, **body).json()["detail"], "it is read")

    assert (unknown.status_code, unknown.json()["field"]) == (409, "warmup")
    assert post(stack, stream_id="plain", data=[stocks("WARM")]).status_code == 202
    live.end()
    away = wait_for(stack, "plain", "waiting")
    assert "does not answer" in away["reason"]
    assert [away["topics"][0][name] for name in ("complete_until", "subscriptions", "gaps")] == [
        "2024-01-02T16:00:00Z",
        None,
        None,
    ]


def test_what_does_not_fit_the_broker_is_refused(broker: Broker, live: LiveStandIn, tmp_path: Path) -> None:
    counts = admin.partition_counts(admin.connect(broker.kafka))
    room = {"STOCULUS_MAX_PARTITIONS": str(sum(counts.values()) + 1), "STOCULUS_LIVE_STREAM_URL": live.url}
    with running_stack(broker, NOBODY, NOBODY, tmp_path, **room) as stack:
        stack.coordinator.start()

        assert post(stack, data=[stocks("ROOM", "MORE")]).json()["field"] == "data"
        assert post(stack, data=[stocks("ROOM")]).status_code == 202
        assert post(stack, data=[stocks("ROOM")]).status_code == 202, "a topic is counted once"
        assert post(stack, data=[stocks("MORE")]).status_code == 422


def test_a_restarted_service_gets_its_streams_again_and_one_that_was_deleted_meanwhile_not(
    stack: Stack, live: LiveStandIn
) -> None:
    for stream_id in ("kept", "dropped"):
        post(stack, stream_id=stream_id)
        wait_for(stack, stream_id, "running")

    live.end()
    assert "does not answer" in wait_for(stack, "kept", "waiting")["reason"]
    assert stack.api.delete("/v1/streams/dropped").json()["state"] == "stopping"
    assert show(stack, "dropped")["state"] == "stopping", "only the service can confirm it"
    live.start()

    wait_for(stack, "kept", "running")
    wait_for(stack, "dropped", None)
    assert live.puts == ["kept", "dropped", "kept"]


def test_streams_survive_the_coordinator_and_another_stream_of_the_id_is_replaced(
    stack: Stack, live: LiveStandIn
) -> None:
    for stream_id in ("runs", "stops", "differs"):
        post(stack, stream_id=stream_id)
        wait_for(stack, stream_id, "running")
    live.lets_go = False
    stack.api.delete("/v1/streams/stops")

    stack.coordinator.kill9()
    mine = live.specs["differs"]
    live.specs["differs"] = mine.model_copy(update={"session": "regular"})
    live.lets_go = True
    stack.coordinator.start()

    wait_for(stack, "runs", "running")
    wait_for(stack, "stops", None)
    until(lambda: live.specs.get("differs") == mine, "the service has the stream of this coordinator")
    assert "stops" not in live.specs
    assert post(stack, stream_id="runs").status_code == 200


def test_a_stream_that_is_refused_for_good_failed_until_it_is_asked_for_again(stack: Stack, live: LiveStandIn) -> None:
    live.refuses = TierTooLow("The tier free streams nothing.", remedy="Use another.")
    post(stack, stream_id="poor")
    assert wait_for(stack, "poor", "failed")["reason"] == "The tier free streams nothing. Use another."
    asked = len(live.puts)
    post(stack, stream_id="other", data=[stocks("KO")])
    wait_for(stack, "other", "failed")
    assert live.puts[asked:] == ["other"], "nobody asks again by himself"

    live.refuses = VendorUnreachable("The terminal is down.")
    assert post(stack, stream_id="poor").json()["state"] == "starting"
    wait_for(stack, "poor", "waiting")
    live.refuses = None
    wait_for(stack, "poor", "running")
    stack.coordinator.kill9()
    stack.coordinator.start()
    wait_for(stack, "other", "running")


def test_events_tell_each_change_until_the_stream_is_gone(stack: Stack, live: LiveStandIn) -> None:
    live.state = "starting"
    post(stack, stream_id="seen")
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        event = ""
        with stack.api.stream("GET", "/v1/streams/seen/events") as stream:
            for line in stream.iter_lines():
                name, _, text = line.partition(": ")
                if name == "event":
                    event = text
                elif name == "data":
                    seen.append((event, json.loads(text)["state"] if event == "state" else ""))

    reader = threading.Thread(target=follow)
    reader.start()
    until(lambda: seen, "it is told at once")
    live.state = "running"
    until(lambda: ("state", "running") in seen, "a change is told")
    stack.api.delete("/v1/streams/seen")
    reader.join(30)

    assert seen[-1] == ("deleted", "")
    assert stack.api.get("/v1/streams/seen/events").status_code == 404


def test_the_api_is_documented_and_readiness_names_what_is_away(stack: Stack, live: LiveStandIn) -> None:
    paths = stack.api.get("/openapi.json").json()["paths"]

    assert {"/v1/streams", "/v1/streams/{stream_id}", "/v1/streams/{stream_id}/events"} <= paths.keys()
    assert [text.split(" at ")[0] for text in stack.api.get("/readyz").json()["remarks"]] == [
        "The service historical-stock",
        "The service historical-option",
    ]
    assert 'stoculus_service_away{service="live-stream"} 0.0' in stack.api.get("/metrics").text
    live.end()
    until(lambda: stack.api.get("/readyz").status_code == 503, "no service is there")
