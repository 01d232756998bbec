"""Against a canned coordinator on a real socket."""

import json
from typing import Any

import pytest

from stoculus import errors
from stoculus.cli import client
from stoculus.cli.client import Coordinator
from tests.unit.stoculus.cli.conftest import Canned


@pytest.fixture
def coordinator(server: Canned, monkeypatch: pytest.MonkeyPatch) -> Coordinator:
    monkeypatch.setattr(client, "_RECONNECT_S", 0.01)
    return Coordinator(server.url)


def state(**snapshot: Any) -> str:
    return f"event: state\nid: 1\ndata: {json.dumps(snapshot)}\n\n"


def test_a_request_is_answered(server: Canned, coordinator: Coordinator) -> None:
    server.answers.append((202, "application/json", '{"backtest_id": "42"}'))

    assert coordinator.ask("POST", "", {"start": "2024-01-02"}) == {"backtest_id": "42"}
    assert server.asked == [("POST", "/v1/backtests", '{"start":"2024-01-02"}')]


def test_a_problem_is_the_error_that_it_names(server: Canned, coordinator: Coordinator) -> None:
    found = [{"field": "data[0].symbols[1]", "detail": "no"}, {"field": "end", "detail": "too late"}]
    server.problem(422, "tier_too_low", detail="Not seen.", field="data[0].symbols[1]", remedy="Pay.", errors=found)

    with pytest.raises(errors.TierTooLow) as caught:
        coordinator.ask("POST", "", {})

    assert (caught.value.message, caught.value.remedy, caught.value.field) == (
        "Not seen.",
        "Pay.",
        "data[0].symbols[1]",
    )
    assert caught.value.detail == "end: too late\nrequest id r-1"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "not_found", errors.NotFound),
        (503, "vendor_unreachable", errors.VendorUnreachable),
        (500, "internal", errors.ServiceUnavailable),
        (415, "unsupported_media_type", errors.InvalidRequest),
    ],
)
def test_every_problem_is_an_error_of_the_tree(
    server: Canned, coordinator: Coordinator, status: int, code: str, error: type[errors.StoculusError]
) -> None:
    server.problem(status, code, detail="So it is.")

    with pytest.raises(error, match="So it is"):
        coordinator.ask("GET", "/42")


@pytest.mark.parametrize(("status", "body"), [(502, "<html>Bad gateway</html>"), (404, "[]"), (200, "<html>")])
def test_something_else_at_the_address_is_told(
    server: Canned, coordinator: Coordinator, status: int, body: str
) -> None:
    server.answers.append((status, "text/html", body))

    with pytest.raises(errors.InvalidRequest, match="no coordinator"):
        coordinator.ask("GET", "/42")


def test_a_coordinator_that_is_away_says_how_to_start_it() -> None:
    with pytest.raises(errors.ServiceUnavailable) as caught:
        Coordinator("http://127.0.0.1:1").ask("GET", "/42")

    assert "make local-up" in caught.value.remedy


def test_a_lost_stream_is_taken_up_again(server: Canned, coordinator: Coordinator) -> None:
    server.answers.append((200, "application/json", '{"n": 0}'))
    server.events(": ping\n\n", state(n=1))
    server.problem(503, "broker_unavailable", detail="Not now.")
    server.events(state(n=2), state(n=3))

    snapshots = coordinator.snapshots("a b")

    assert [next(snapshots)["n"] for _ in range(4)] == [0, 1, 2, 3]
    assert server.asked[1:] == [("GET", "/v1/backtests/a%20b/events", "")] * 3


def test_a_stream_that_stays_lost_is_given_up(
    server: Canned, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_RECONNECTS", 2)
    server.answers.append((200, "application/json", "{}"))
    for _ in range(3):
        server.problem(503, "broker_unavailable", detail="Not now.")

    with pytest.raises(errors.BrokerUnavailable):
        list(coordinator.snapshots("42"))


def test_a_backtest_that_is_deleted_meanwhile_ends_the_watch(server: Canned, coordinator: Coordinator) -> None:
    server.answers.append((200, "application/json", "{}"))
    server.events("event: deleted\ndata: Backtest '42' was deleted.\n\n")

    with pytest.raises(errors.NotFound, match="was deleted"):
        list(coordinator.snapshots("42"))


def test_streams_are_asked_for_by_their_own_path(server: Canned) -> None:
    server.answers.append((200, "application/json", "{}"))
    server.events("event: deleted\ndata: There is no stream 'tape'.\n\n")

    with pytest.raises(errors.NotFound) as caught:
        list(Coordinator(server.url, "stream").snapshots("tape"))

    assert [path for _, path, _ in server.asked] == ["/v1/streams/tape", "/v1/streams/tape/events"]
    assert "stoculus stream list" in caught.value.remedy


def test_a_key_is_sent_with_each_request_and_shown_nowhere(server: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", server.url)
    monkeypatch.setenv("STOCULUS_API_KEY", "stoc_canary")
    coordinator = client.connect("key")
    server.answers.append((200, "application/json", "{}"))
    server.answers.append((200, "application/json", "{}"))
    server.events("event: deleted\ndata: gone\n\n")

    coordinator.ask("GET", "")
    with pytest.raises(errors.NotFound):
        list(coordinator.snapshots("a"))

    assert [path for _, path, _ in server.asked] == ["/v1/keys", "/v1/keys/a", "/v1/keys/a/events"]
    assert server.authorizations == ["Bearer stoc_canary"] * 3
    assert "canary" not in repr(coordinator)


def test_without_a_key_no_header_is_sent(server: Canned, coordinator: Coordinator) -> None:
    server.problem(401, "unauthenticated", detail="An API key is needed.", remedy="Send one.")

    with pytest.raises(errors.Unauthenticated, match="Send one"):
        coordinator.ask("GET", "")

    assert server.authorizations == [None]
