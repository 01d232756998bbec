from datetime import UTC, date, datetime
from typing import Any

import pytest
from rich.console import Console

from stoculus.cli.verify import _as_json, _print
from stoculus.reading.manifest import Manifest
from stoculus.verify.findings import Fault, TopicReport

DAY = date(2024, 1, 2)
OPEN = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
BAR = {"symbol": "AAPL", "ts_event": OPEN, "close": 185.13}


class Checked:
    """A verifier that has done its work."""

    manifest = Manifest(backtest_id="42", state="completed", attempt=1, request={}, topics=[])


@pytest.fixture
def reports() -> list[TopicReport]:
    altered = Fault("altered", "close is 185.13.", DAY, 17, 1, topic=BAR, vendor=BAR | {"close": 185.12})
    missing = Fault("missing", "the vendor has it, the topic has not.", DAY, 20, 3, vendor=BAR)
    odd = TopicReport("stock-aapl", "completed", 387, {DAY: 387}, 0, OPEN, OPEN, [altered, missing], ["3 left out."])
    failed = TopicReport("stock-msft", "failed", notes=["The vendor failed. Retry."])
    return [odd, failed]


def printed(reports: list[TopicReport], capsys: pytest.CaptureFixture[str], *, holds: bool) -> list[str]:
    checked: Any = Checked()
    _print(checked, reports, Console(highlight=False), holds=holds)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_what_does_not_hold_is_told_with_day_offset_and_both_sides(
    reports: list[TopicReport], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(reports, capsys, holds=False)

    assert "  altered: 2024-01-02, offset 17: close is 185.13." in lines
    assert "  missing: 2024-01-02, offset 20: the vendor has it, the topic has not." in lines
    assert "  3 left out." in lines
    both_sides = lines[lines.index("altered at offset 17") :]
    assert both_sides[1].split() == ["field", "topic", "vendor"]
    assert both_sides[4].split() == ["ts_event", "2024-01-02", "14:30:00.000", "2024-01-02", "14:30:00.000"]
    assert both_sides[5].split() == ["*", "close", "185.13", "185.12"]
    assert lines[lines.index("missing at offset 20") + 5].split() == ["close", "185.13"]
    assert lines[-1] == "Backtest 42 (completed): 387 records in 2 topics; 2 faults, in 2 of the topics."


def test_topics_that_are_not_complete_are_told_with_the_reason(
    reports: list[TopicReport], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(reports[1:], capsys, holds=False)

    assert lines[-3:] == [
        "  The vendor failed. Retry.",
        "",
        "Backtest 42 (completed): 0 records in 1 topics; not complete, in 1 of the topics.",
    ]


def test_the_same_as_data(reports: list[TopicReport]) -> None:
    checked: Any = Checked()

    told = _as_json(checked, reports, holds=False)

    assert (told["backtest_id"], told["holds"], [topic["holds"] for topic in told["topics"]]) == (
        "42",
        False,
        [False] * 2,
    )
    [altered, missing] = told["topics"][0]["faults"]
    assert altered["vendor"]["close"] == 185.12
    assert missing == {
        "check": "missing",
        "message": "the vendor has it, the topic has not.",
        "day": DAY,
        "offset": 20,
        "records": 3,
        "vendor": BAR,
    }
    assert told["topics"][0]["days"] == {"2024-01-02": 387}
