"""What is found where the vendor is asked again."""

from datetime import date, timedelta
from typing import Any

import pytest

from coordinator.backtests.states import Observed
from stoculus.errors import SettingsInvalid, VendorUnreachable
from stoculus.records.catalog import record_type
from stoculus.verify import source
from stoculus.verify.findings import Fault
from tests.integration.verify.planting import (
    DATA,
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

BAR = record_type("StockOhlcv")
WHOLE_DAY, HALF_DAY = date(2023, 11, 22), date(2023, 11, 24)
Copies = dict[str, Copy]


def differences(desk: Desk, name: str, copy: Copy) -> list[Fault]:
    """What differs from the vendor in a copy of a topic; the topic's own faults left out."""
    backtest_id, _ = desk.write(name, copy)
    [report] = desk.verify(backtest_id, against_source=True)
    return [fault for fault in report.faults if fault.topic or fault.vendor or fault.check == "source"]


def test_a_healthy_backtest_is_what_the_vendor_sends(desk: Desk, healthy: str) -> None:
    reports = desk.verify(healthy, against_source=True)

    assert [(report.holds, report.faults) for report in reports] == [(True, [])] * 2


@pytest.mark.parametrize("name", ["bars", "chain"])
def test_a_record_that_is_missing_is_named(desk: Desk, copies: Copies, name: str) -> None:
    records = copies[name].records

    [fault] = differences(desk, name, copies[name].of(without(records, 10)))

    assert (fault.check, fault.day, fault.offset, fault.topic) == ("missing", WHOLE_DAY, 10, None)
    assert fault.vendor is not None
    assert int(fault.vendor["ts_event"].timestamp() * 1000) == records[10].time_ms
    assert fault.vendor["symbol"].encode() == records[10].key


def test_a_record_that_stands_twice_is_named(desk: Desk, copies: Copies) -> None:
    [fault] = differences(desk, "bars", copies["bars"].of(doubled(copies["bars"].records, 450)))

    assert (fault.check, fault.day, fault.offset, fault.records) == ("doubled", HALF_DAY, 451, 1)


@pytest.mark.parametrize("name", ["bars", "chain"])
def test_swapped_neighbours_are_named(desk: Desk, copies: Copies, name: str) -> None:
    records = copies[name].records

    [fault] = differences(desk, name, copies[name].of(swapped(records, 20)))

    assert (fault.check, fault.offset) == ("swapped", 20)


@pytest.mark.parametrize("name", ["trades", "chain"])
def test_swapped_neighbours_of_one_time_are_named(desk: Desk, copies: Copies, name: str) -> None:
    records = copies[name].records
    place = of_one_time(records)

    [fault] = differences(desk, name, copies[name].of(swapped(records, place)))

    assert (fault.check, fault.offset, fault.records) == ("swapped", place, 2)
    assert fault.topic != fault.vendor


def test_a_record_altered_by_a_tick_is_named_with_both_prices(desk: Desk, copies: Copies) -> None:
    records = copies["bars"].records
    value = with_fields(records[50].value, BAR, close=one_tick)

    [fault] = differences(desk, "bars", copies["bars"].of(altered(records, 50, value=value)))

    assert (fault.check, fault.offset) == ("altered", 50)
    assert fault.topic is not None
    assert fault.vendor is not None
    assert {name for name in fault.topic if fault.topic[name] != fault.vendor[name]} == {"close"}
    assert fault.message == f"close is {fault.topic['close']}, at the vendor {fault.vendor['close']}."


def test_a_record_moved_in_time_is_one_difference(desk: Desk, copies: Copies) -> None:
    records = copies["bars"].records
    value = with_fields(records[7].value, BAR, ts_event=lambda at: at + timedelta(milliseconds=1))
    moved = altered(records, 7, value=value, time_ms=records[7].time_ms + 1)

    [fault] = differences(desk, "bars", copies["bars"].of(moved))

    assert (fault.check, fault.offset) == ("altered", 7)
    assert fault.message == "ts_event is 2023-11-22T14:37:00.001000+00:00, at the vendor 2023-11-22T14:37:00+00:00."


def test_a_day_that_is_missing_is_one_difference(desk: Desk, copies: Copies) -> None:
    [fault] = differences(desk, "bars", copies["bars"].of(copies["bars"].records[390:]))

    assert (fault.check, fault.day, fault.records, fault.offset) == ("missing", WHOLE_DAY, 390, 0)


def test_records_that_the_vendor_does_not_have_are_named(desk: Desk, copies: Copies) -> None:
    records = copies["bars"].records
    more = [*records, records[-1]._replace(time_ms=records[-1].time_ms + 60_000)]
    more[-1] = more[-1]._replace(
        value=with_fields(more[-1].value, BAR, ts_event=lambda at: at.replace(hour=18, minute=0))
    )

    [fault] = differences(desk, "bars", copies["bars"].of(more))

    assert (fault.check, fault.day, fault.offset, fault.vendor) == ("surplus", HALF_DAY, 600, None)


def test_a_topic_that_is_all_another_is_told_with_its_first_records(desk: Desk, copies: Copies) -> None:
    records = [
        record._replace(value=with_fields(record.value, BAR, volume=lambda volume: volume + 1))
        for record in copies["bars"].records
    ]

    *first, rest = differences(desk, "bars", copies["bars"].of(records))

    assert [fault.check for fault in first] == ["altered"] * 100
    assert (rest.records, rest.message) == (500, "500 more records differ; in all 600 altered.")


def test_what_was_left_out_is_compared_too(desk: Desk, copies: Copies) -> None:
    [empty, malformed] = differences(desk, "chain", copies["chain"].told(empty_bars=1000, bad_rows=3))

    assert empty.message.startswith("the receipt counts 1,000 empty rows, the vendor sends ")
    assert malformed.message == "the receipt counts 3 malformed rows, the vendor sends 0."


def test_a_topic_that_is_not_complete_is_not_compared(desk: Desk, copies: Copies) -> None:
    failed = copies["bars"].of(copies["bars"].records[:100]).told(state="failed")
    backtest_id, _ = desk.write("bars", failed, Observed.FAILED)

    [report] = desk.verify(backtest_id, against_source=True)

    assert (report.state, report.faults) == ("failed", [])


def test_a_day_that_the_vendor_does_not_have_is_told_when_it_has_it_later(desk: Desk) -> None:
    with desk.without_data("2023-11-24"):
        backtest_id = desk.run([DATA["bars"]])
        [report] = desk.verify(backtest_id, against_source=True)
        assert (report.holds, report.records, report.empty_days) == (True, 390, 1)

    [report] = desk.verify(backtest_id, against_source=True)

    missing, empty = report.faults
    assert (missing.check, missing.day, missing.records) == ("missing", HALF_DAY, 210)
    assert empty.message == "the receipt counts 1 empty rows, the vendor sends 2."


def test_a_vendor_that_is_away_is_an_error(desk: Desk, healthy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(desk.environment, "STOCULUS_THETA_URL", "http://127.0.0.1:1")

    with pytest.raises(VendorUnreachable):
        desk.verify(healthy, against_source=True)


def test_without_the_suite_it_is_said_what_to_install(
    desk: Desk, healthy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "entry_points", lambda **_: ())

    with pytest.raises(SettingsInvalid, match="not installed") as caught:
        desk.verify(healthy, against_source=True)

    assert "stoculus[suite]" in caught.value.remedy


def test_what_was_asked_for_is_asked_again(desk: Desk) -> None:
    options: dict[str, Any] = {"asset": "option", "schema": "openinterest"}
    contracts = ["SPXW  231124C04550000", "AAPL  231124P00370000", "SPXW  231124P04550000"]
    near = {**options, "root": "SPX", "expirations": {"dte": {"min": 0, "max": 30}}, "strikes": {"around_spot": 1}}

    reports = desk.verify(desk.run([{**options, "contracts": contracts}, near]), against_source=True)

    assert [(report.holds, report.records > 0) for report in reports] == [(True, True)] * 3
