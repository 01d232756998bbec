"""Faults of the vendor's answers and of what is stored, as a user of the coordinator sees them end."""

from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tests.chaos.conftest import Market
from tests.chaos.truth import messages, verify
from tests.chaos.world import SERVICE, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

WAITED_OUT: dict[str, list[dict[str, Any]]] = {
    "busy": [{"times": 6, "fault": {"kind": "status", "status": 429}}],
    "disconnected": [{"times": 3, "fault": {"kind": "status", "status": 474}}],
    "starting": [{"times": 3, "fault": {"kind": "status", "status": 571}}],
    "reset": [{"times": 3, "fault": {"kind": "reset", "after_bytes": 300_000}}],
    "cut": [{"times": 2, "fault": {"kind": "truncate_chunked", "after_bytes": 500_000}}],
    "silent": [{"times": 1, "fault": {"kind": "silent", "seconds": 30}}],
    "stalled": [{"times": 2, "fault": {"kind": "stall", "after_bytes": 400_000, "seconds": 30}}],
    "large": [{"times": 2, "fault": {"kind": "status", "status": 570}}],
    "all": [
        {"times": 2, "fault": {"kind": "status", "status": 429}},
        {"times": 1, "fault": {"kind": "reset", "after_bytes": 900_000}},
        {"times": 1, "fault": {"kind": "status", "status": 571}},
        {"times": 1, "fault": {"kind": "truncate_chunked", "after_bytes": 1_000}},
    ],
}
ENDED: dict[str, tuple[dict[str, Any], str]] = {
    "tier": ({"kind": "status", "status": 403}, "tier_too_low"),
}


@pytest.mark.parametrize("name", WAITED_OUT)
def test_is_waited_out(name: str, world: World, market: Market) -> None:
    for script in WAITED_OUT[name]:
        world.fault(match={"path": "stock/history/trade"}, **script)
    world.submit(market.small.body(f"fault-{name}"))
    world.wait_for(f"fault-{name}", "completed")
    verify(world, f"fault-{name}", market.small)


@pytest.mark.parametrize("name", ENDED)
def test_ends_the_backtest_until_it_is_retried(name: str, world: World, market: Market) -> None:
    fault, code = ENDED[name]
    world.fault(match={"path": "stock/history/trade"}, fault=fault)
    world.submit(market.small.body(f"ended-{name}"))
    shown = world.wait_for(f"ended-{name}", "failed")
    failure = shown["tasks"][0]["failure"]
    assert failure["code"] == code
    assert failure["message"]
    assert failure["remedy"]
    world.heal()
    assert world.act(f"ended-{name}", "retry").status_code == 200
    world.wait_for(f"ended-{name}", "completed")
    verify(world, f"ended-{name}", market.small)
    world.kill(SERVICE)  # it has learned from the 403 that the account may see less


def test_another_login_stops_a_backtest_until_the_account_is_free_again(world: World, market: Market) -> None:
    world.fault(match={"path": "stock/history/trade"}, after_requests=1, fault={"kind": "another_login"})
    world.submit(market.small.body("kicked"))
    until(lambda: "session_taken" in (world.show("kicked")["tasks"][0]["waiting"] or ""), "it says why it waits")
    world.heal()
    world.wait_for("kicked", "completed")
    verify(world, "kicked", market.small)


def test_malformed_rows_are_in_quarantine_and_a_retry_that_tolerates_them_goes_on(world: World, market: Market) -> None:
    [symbol] = market.small.symbols
    rows = {"path": "stock/history/trade", "date": f"{market.small.days[0]}"}
    world.fault(match=rows, fault={"kind": "nan", "row": 6, "column": "price"})
    world.submit(market.small.body("bad"))
    failure = world.wait_for("bad", "failed")["tasks"][0]["failure"]
    assert failure["code"] == "too_many_bad_rows"
    assert "max_bad_rows" in failure["remedy"]
    quarantine = f"{market.small.topic(symbol, 'bad')}.quarantine"
    assert [_header(message, "cause") for message in messages(world, quarantine)] != []

    assert world.act("bad", "retry", {"max_bad_rows": 0}).status_code == 200
    assert world.wait_for("bad", "failed")["tasks"][0]["failure"]["code"] == "too_many_bad_rows"
    assert world.act("bad", "retry", {"max_bad_rows": 1}).status_code == 200
    shown = world.wait_for("bad", "completed")
    assert shown["tasks"][0]["bad_rows"] == 1
    verify(world, "bad", market.small, left_out=frozenset({5}))
    last = list(messages(world, quarantine))[-1]
    assert b"NaN" in (last.value() or b"")
    assert _header(last, "line") == b"7"
    assert _header(last, "attempt") == b"3"


def test_a_topic_deleted_under_a_running_backtest_fails_it_with_the_cause(world: World, market: Market) -> None:
    world.slow(4_000_000)
    world.submit(market.large.body("lost"))
    world.wait_for_records("lost")
    topic = market.large.topic(market.large.symbols[0], "lost")
    admin = AdminClient(world.kafka.config)
    admin.delete_topics([topic])[topic].result()
    world.heal()
    shown = world.wait_for("lost", "failed")
    failure = shown["tasks"][0]["failure"]
    assert failure["code"] == "topic_lost", failure
    assert topic in failure["message"]
    assert world.api.get("/v1/backtests/lost/receipt").status_code == 409


def _header(message: Any, name: str) -> bytes | None:
    return dict(message.headers() or []).get(name)
