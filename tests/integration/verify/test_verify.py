"""What is found by the topics alone."""

from datetime import UTC, date, datetime

import pytest
from confluent_kafka import TopicPartition

from coordinator.backtests.states import Observed
from stoculus.checkpoints import Failure
from stoculus.errors import BrokerUnavailable, NotFound, RegistryUnavailable
from stoculus.kafka.registry import connect, lookup_id
from stoculus.records import framing
from stoculus.records.catalog import record_type
from stoculus.settings import Connections
from stoculus.verify.backtest import Verifier
from stoculus.verify.findings import Fault
from tests.integration.verify.planting import (
    Copy,
    Desk,
    altered,
    doubled,
    of_one_time,
    one_tick,
    swapped,
    with_fields,
    without,
)

BAR, TRADE = record_type("StockOhlcv"), record_type("StockTrade")
WHOLE_DAY, HALF_DAY = date(2023, 11, 22), date(2023, 11, 24)
Copies = dict[str, Copy]


def found(desk: Desk, name: str, copy: Copy) -> list[Fault]:
    """What is wrong with a copy of a topic."""
    backtest_id, _ = desk.write(name, copy)
    [report] = desk.verify(backtest_id)
    assert not report.holds or not report.faults
    return report.faults


def checks(faults: list[Fault]) -> list[str]:
    return [fault.check for fault in faults]


def test_a_healthy_backtest_holds(desk: Desk, healthy: str, copies: Copies) -> None:
    reports = desk.verify(healthy)

    assert [(report.holds, report.faults, report.notes) for report in reports] == [(True, [], [])] * 2
    assert [report.records for report in reports] == [len(copies[name].records) for name in ("bars", "chain")]
    assert [set(report.days) for report in reports] == [{WHOLE_DAY, HALF_DAY}, {WHOLE_DAY, HALF_DAY}]


@pytest.mark.parametrize("name", ["bars", "trades", "chain"])
def test_so_does_a_copy_of_a_topic_without_markers_of_transactions(desk: Desk, copies: Copies, name: str) -> None:
    assert found(desk, name, copies[name]) == []


def test_a_record_that_is_missing_is_told_with_its_day(desk: Desk, copies: Copies) -> None:
    bars = copies["bars"]

    [fault] = found(desk, "bars", bars.of(without(bars.records, 400)))

    assert (fault.check, fault.day, fault.records) == ("count", HALF_DAY, 1)
    assert fault.message == "the day has 209 records, the receipt counts 210: 1 are missing."


def test_a_record_that_stands_twice_is_told_with_its_day(desk: Desk, copies: Copies) -> None:
    [fault] = found(desk, "bars", copies["bars"].of(doubled(copies["bars"].records, 7)))

    assert (fault.check, fault.day, fault.records) == ("count", WHOLE_DAY, 1)
    assert "1 too many" in fault.message


def test_swapped_neighbours_are_told_with_the_offset(desk: Desk, copies: Copies) -> None:
    order, of_all = found(desk, "bars", copies["bars"].of(swapped(copies["bars"].records, 30)))

    assert (order.check, order.offset, order.day, order.records) == ("order", 31, WHOLE_DAY, 1)
    assert "2023-11-22 10:00:00.000 behind 2023-11-22 10:01:00.000" in order.message
    assert of_all.check == "hash"


def test_swapped_neighbours_of_one_time_differ_in_the_hash(desk: Desk, copies: Copies) -> None:
    trades = copies["trades"].records

    [fault] = found(desk, "trades", copies["trades"].of(swapped(trades, of_one_time(trades))))

    assert fault.check == "hash"
    assert "--against-source" in fault.message


def test_swapped_contracts_of_one_time_are_out_of_the_order_of_a_chain(desk: Desk, copies: Copies) -> None:
    chain = copies["chain"].records
    place = of_one_time(chain)

    order, of_all = found(desk, "chain", copies["chain"].of(swapped(chain, place)))

    assert (order.check, order.offset, of_all.check) == ("order", place + 1, "hash")
    assert "not in the order of the chain" in order.message


def test_a_record_altered_by_a_tick_differs_in_the_hash(desk: Desk, copies: Copies) -> None:
    bars = copies["bars"]
    value = with_fields(bars.records[50].value, BAR, close=one_tick)

    assert checks(found(desk, "bars", bars.of(altered(bars.records, 50, value=value)))) == ["hash"]


def test_a_day_that_is_missing_is_told(desk: Desk, copies: Copies) -> None:
    [fault] = found(desk, "bars", copies["bars"].of(copies["bars"].records[390:]))

    assert (fault.check, fault.day, fault.records) == ("count", WHOLE_DAY, 390)
    assert fault.message == "the day has no records, the receipt counts 390."


def test_a_topic_cut_by_retention_is_told(desk: Desk, copies: Copies) -> None:
    backtest_id, topic = desk.write("bars", copies["bars"])
    [deleted] = desk.admin.delete_records([TopicPartition(topic, 0, 100)]).values()
    deleted.result(30)

    [report] = desk.verify(backtest_id)

    assert checks(report.faults) == ["retention", "count"]
    assert "begins at offset 100" in report.faults[0].message


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("StockTrade", "the schema id is that of StockTrade, not of StockOhlcv"),
        (b"\0\0\x0f\0\0", "the schema id is of no record type: The registry at"),
        (b'{"a":', "the value is not in the registry's format: it begins with"),
    ],
)
def test_a_wrong_schema_id_is_told_with_the_offset_and_nothing_else(
    desk: Desk, copies: Copies, header: str | bytes, told: str
) -> None:
    if isinstance(header, str):
        with connect(desk.registry) as client:
            header = framing.header(lookup_id(client, record_type(header), desk.registry.url))
    records = copies["bars"].records
    value = header + framing.body(records[12].value or b"")

    [fault] = found(desk, "bars", copies["bars"].of(altered(records, 12, value=value)))

    assert (fault.check, fault.offset, fault.records) == ("schema", 12, 1)
    assert fault.message.startswith(told)


@pytest.mark.parametrize("value", [None, b"", b"\0\0", b"cut"], ids=["none", "nothing", "half a header", "a body cut"])
def test_a_value_that_is_no_record_is_told_with_its_offset(desk: Desk, copies: Copies, value: bytes | None) -> None:
    records = copies["bars"].records
    value = (records[12].value or b"")[:-3] if value == b"cut" else value

    first, *rest = found(desk, "bars", copies["bars"].of(altered(records, 12, value=value)))

    assert (first.check, first.offset, first.records) == ("avro" if value and len(value) > 5 else "schema", 12, 1)
    assert checks(rest) == ["hash"]


def test_what_kafka_says_of_a_record_must_be_what_its_body_says(desk: Desk, copies: Copies) -> None:
    bars = copies["bars"]
    records = altered(altered(bars.records, 3, key=b"MSFT"), 5, time_ms=bars.records[5].time_ms + 1)
    copy = Copy(records, bars.receipt, headers={7: {"origin": "live"}})

    key, moment, headers, of_all = found(desk, "bars", copy)

    assert (key.check, key.offset, key.message) == (
        "key",
        3,
        "the key is not the symbol of the body: b'MSFT' instead of 'AAPL'.",
    )
    assert (moment.check, moment.offset) == ("time", 5)
    assert (headers.check, headers.offset) == ("headers", 7)
    assert of_all.check == "hash"


def test_a_record_of_another_stock_was_not_asked_for(desk: Desk, copies: Copies) -> None:
    records = copies["bars"].records
    value = with_fields(records[5].value, BAR, symbol="MSFT")

    symbol, of_all = found(desk, "bars", copies["bars"].of(altered(records, 5, key=b"MSFT", value=value)))

    assert (symbol.check, symbol.offset, of_all.check) == ("symbol", 5, "hash")
    assert symbol.message == "the record is of another instrument: 'MSFT' instead of 'AAPL'."


@pytest.mark.parametrize(
    ("place", "moment", "check", "told"),
    [
        (
            0,
            "2023-11-22T14:29",
            "session",
            "2023-11-22 09:29:00.000, 2023-11-22 09:30:00.000 to 2023-11-22 16:00:00.000",
        ),
        (599, "2023-11-24T18:01", "session", "2023-11-24 13:01:00.000"),
        (390, "2023-11-23T15:00", "day", "2023-11-23 was not asked for"),
    ],
    ids=["before the open", "behind the close of a half day", "a holiday"],
)
def test_a_record_outside_of_what_was_asked_for_is_told(
    desk: Desk, copies: Copies, place: int, moment: str, check: str, told: str
) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    records = copies["bars"].records
    value = with_fields(records[place].value, BAR, ts_event=at)
    moved = altered(records, place, value=value, time_ms=int(at.timestamp()) * 1000)

    first, *_ = found(desk, "bars", copies["bars"].of(moved))

    assert (first.check, first.offset) == (check, place)
    assert told in first.message


def test_a_day_must_have_records_or_a_reason(desk: Desk, copies: Copies) -> None:
    bars = copies["bars"]
    whole_day = {WHOLE_DAY: 390}
    only_one = Copy(bars.records[:390], bars.receipt.model_copy(update={"days": whole_day, "records": 390}))

    faults = found(desk, "bars", only_one)
    assert [(fault.check, fault.day) for fault in faults] == [("hole", HALF_DAY), ("hash", None)]

    told = only_one.told(empty_days={HALF_DAY: "the vendor has no data"})
    assert checks(found(desk, "bars", told)) == ["hash"]


def test_malformed_rows_must_stand_in_quarantine(desk: Desk, copies: Copies) -> None:
    left_out = copies["bars"].told(bad_rows=2)
    backtest_id, topic = desk.write("bars", left_out)

    [report] = desk.verify(backtest_id)
    assert checks(report.faults) == ["quarantine"]

    desk.quarantine(topic, attempt=1, rows=2)
    [report] = desk.verify(backtest_id)
    assert (report.holds, len(report.notes)) == (True, 1)

    desk.quarantine(topic, attempt=1, rows=1)
    [report] = desk.verify(backtest_id)
    assert "holds 3 malformed rows of the attempt that completed" in report.faults[0].message


def test_malformed_rows_of_an_attempt_that_failed_may_stand_in_quarantine(desk: Desk, copies: Copies) -> None:
    backtest_id, topic = desk.write("bars", copies["bars"].told(attempt=2))
    desk.quarantine(topic, attempt=1, rows=3)

    [report] = desk.verify(backtest_id)

    assert report.holds


def test_a_manifest_that_says_something_else_is_told(desk: Desk, copies: Copies) -> None:
    backtest_id, topic = desk.write("bars", copies["bars"])
    desk.tell_receipt(copies["bars"].receipt, backtest_id, topic, last_offset=598)

    [report] = desk.verify(backtest_id)

    assert checks(report.faults) == ["last offset", "manifest"]


def test_a_backtest_that_failed_in_part_says_which_topics_are_not_complete(desk: Desk, copies: Copies) -> None:
    failure = Failure(code="vendor_fault", message="The vendor failed.", remedy="Retry.")
    failed = Copy(copies["bars"].records[:100], copies["bars"].receipt).told(state="failed", failure=failure)
    backtest_id, _ = desk.write("bars", failed, Observed.FAILED)

    [report] = desk.verify(backtest_id)

    assert (report.holds, report.state, report.faults) == (False, "failed", [])
    assert report.notes == ["The vendor failed. Retry."]
    assert report.records == 100


def test_a_running_backtest_does_not_hold_yet(desk: Desk, copies: Copies) -> None:
    backtest_id, _ = desk.write("bars", copies["bars"].told(state="running"), Observed.RUNNING)

    [report] = desk.verify(backtest_id)

    assert (report.holds, report.state, report.faults) == (False, "running", [])


def test_a_topic_that_is_gone_is_told(desk: Desk, copies: Copies) -> None:
    backtest_id, topic = desk.write("bars", copies["bars"])
    desk.remove(topic)

    [report] = desk.verify(backtest_id)

    assert (checks(report.faults), report.faults[0].message) == (["topic"], "the topic is gone.")


def test_a_backtest_that_is_deleted_or_unknown_is_an_error(desk: Desk, copies: Copies) -> None:
    backtest_id, _ = desk.write("bars", copies["bars"])
    desk.delete(backtest_id)

    for one in (backtest_id, "never-submitted"):
        with pytest.raises(NotFound, match=f"no backtest {one} "):
            desk.verify(one)


def test_a_broker_or_a_registry_that_is_away_is_an_error_and_no_finding(desk: Desk, healthy: str) -> None:
    nowhere = Connections(kafka_bootstrap=desk.kafka.bootstrap, registry_url="http://127.0.0.1:1")
    verifier = Verifier(nowhere, healthy)
    with pytest.raises(RegistryUnavailable):
        verifier.check(verifier.manifest.topics[0])

    with pytest.raises(BrokerUnavailable):
        Verifier(Connections(kafka_bootstrap="127.0.0.1:1", registry_url=desk.registry.url), healthy)
