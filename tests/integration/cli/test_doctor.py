import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from stoculus.doctor import registry as registry_probe
from stoculus.records.catalog import RecordType, record_types
from tests.integration.kafka.conftest import eventually

Run = Callable[..., tuple[int, str, str]]
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module", autouse=True)
def live_stream(suite: Any) -> Iterator[None]:
    """The live service runs for these tests alone: one instance writes on a broker."""
    suite.supervisor.start(suite.live_stream)
    yield
    suite.supervisor.stop(suite.live_stream.name)


@pytest.fixture(autouse=True)
def addresses(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", suite.coordinator_url)
    for name in ("STOCULUS_THETA_URL", "STOCULUS_THETA_STREAM_URL", "STOCULUS_THETA_TIER"):
        monkeypatch.setenv(name, suite.live_stream.environment[name])


def found(stoculus: Run) -> tuple[int, list[dict[str, str]]]:
    code, out, _ = stoculus("doctor", "--json")
    told = json.loads(out)
    assert told["well"] == (code == 0)
    return code, told["found"]


def remarks(suite: Any) -> list[str]:
    """What the coordinator says of its services, which it looks after once a second."""
    answer = httpx2.get(f"{suite.coordinator_url}/readyz", trust_env=False).json()
    return list(answer.get("remarks", []))


def levels(lines: list[dict[str, str]], part: str) -> set[str]:
    return {line["level"] for line in lines if line["part"] == part}


def failed(lines: list[dict[str, str]]) -> set[str]:
    return {line["part"] for line in lines if line["level"] == "failed"}


def test_a_whole_suite_is_well(stoculus: Run, suite: Any) -> None:
    eventually(lambda: not remarks(suite))
    code, lines = found(stoculus)
    texts = [line["found"] for line in lines]

    assert (code, failed(lines)) == (0, set())
    assert {line["part"] for line in lines} == {
        *("program", "settings", "broker", "registry", "coordinator", "services", "terminal", "clock"),
    }
    assert any("Kafka, metadata of 4." in text and text.endswith("1 node") for text in texts)
    assert any("GB are free" in text for text in texts)
    assert "transactions work" in texts
    assert f"all {len(record_types())} record types are registered as this version writes them" in texts
    assert [text for text in texts if text.startswith(("historical-", "live-"))] == [
        f"{name} answers the coordinator" for name in ("historical-stock", "historical-option", "live-stream")
    ]
    assert "it is the simulator: no jar, no account" in texts
    assert texts[-1].startswith("this machine's clock agrees with that of")


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("STOCULUS_KAFKA_BOOTSTRAP", NOWHERE, "broker"),
        ("STOCULUS_REGISTRY_URL", f"http://{NOWHERE}", "registry"),
        ("STOCULUS_COORDINATOR_URL", f"http://{NOWHERE}", "coordinator"),
        ("STOCULUS_THETA_URL", f"http://{NOWHERE}", "terminal"),
        ("STOCULUS_THETA_TEIR", "pro", "settings"),
        ("STOCULUS_MAX_PARTITIONS", "3", "broker"),
    ],
)
def test_a_part_that_is_down_fails_alone(
    stoculus: Run, name: str, value: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    code, lines = found(stoculus)

    assert (code, failed(lines)) == (1, {part})
    [line] = [line for line in lines if line["level"] == "failed"]
    assert line["remedy"]


def test_what_to_do_stands_below_what_failed(stoculus: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAP", NOWHERE)

    lines = [" ".join(line.split()) for line in stoculus("doctor")[1].splitlines()]

    remedy = "try: Start it: `make local-up`. Or set STOCULUS_KAFKA_BOOTSTRAP (host:port)."
    assert lines[lines.index(f"failed broker nothing listens at {NOWHERE}") + 1] == remedy


def test_a_stream_that_is_closed_is_a_warning(stoculus: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_THETA_STREAM_URL", f"ws://{NOWHERE}/v1/events")

    code, lines = found(stoculus)

    assert (code, levels(lines, "terminal")) == (0, {"ok", "note", "warning"})


@pytest.mark.parametrize(
    ("fault", "level", "told"),
    [
        ({"kind": "another_login"}, "failed", "history is 'UNVERIFIED': the account is not accepted, or taken over"),
        ({"kind": "status", "status": 429}, "note", "is busy"),
        ({"kind": "status", "status": 500}, "failed", "answered 500"),
    ],
    ids=["taken over", "busy", "broken"],
)
def test_a_terminal_in_trouble_is_told(stoculus: Run, suite: Any, fault: dict[str, Any], level: str, told: str) -> None:
    with struck(suite.live_stream.environment["STOCULUS_THETA_URL"], fault):
        _, lines = found(stoculus)

    [line] = [line for line in lines if line["part"] == "terminal" and told in line["found"]]
    assert line["level"] == level


def test_a_record_type_that_is_not_registered_is_named(stoculus: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    one = record_types()[0]
    newer = RecordType("StockNews", one.avro.replace(one.name, "StockNews"), one.arrow)
    monkeypatch.setattr(registry_probe, "record_types", lambda: [one, newer])

    code, lines = found(stoculus)

    texts = [line["found"] for line in lines if line["part"] == "registry"]
    assert code == 1
    assert "1 record types are not registered as this version writes them: StockNews" in texts
    assert "compatibility is not FULL_TRANSITIVE: StockNews unset" in texts


def test_nothing_hangs_where_nobody_answers(stoculus: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = f"127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAP", place)
        for name in ("STOCULUS_REGISTRY_URL", "STOCULUS_COORDINATOR_URL", "STOCULUS_THETA_URL"):
            monkeypatch.setenv(name, f"http://{place}")
        monkeypatch.setenv("STOCULUS_THETA_STREAM_URL", f"ws://{place}")

        code, lines = found(stoculus)

    assert (code, failed(lines)) == (1, {"broker", "registry", "coordinator", "terminal"})


# The last one: the service stays down.
def test_a_service_that_is_down_fails_as_the_coordinator_sees_it(stoculus: Run, suite: Any) -> None:
    suite.supervisor.stop(suite.live_stream.name)

    eventually(lambda: remarks(suite))
    _, lines = found(stoculus)

    assert failed(lines) == {"services"}
    [line] = [line for line in lines if line["level"] == "failed"]
    assert "live-stream" in line["found"]


@contextmanager
def struck(simulator_url: str, fault: dict[str, Any]) -> Iterator[None]:
    """The terminal's status with a fault."""
    script = {"match": {"path": "terminal/mdds/status"}, "fault": fault}
    httpx2.post(f"{simulator_url}/__faults", json=script, trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx2.delete(f"{simulator_url}/__faults", trust_env=False)
