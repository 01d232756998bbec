"""Days that a backtest cannot have."""

from datetime import datetime
from typing import Any

import pytest

from coordinator.backtests.market import check_days
from coordinator.backtests.models import Submission
from stoculus.calendar import NEW_YORK
from stoculus.errors import InvalidRequest

NOW = datetime(2024, 1, 10, 12, tzinfo=NEW_YORK)


def request(start: str, end: str, **options: Any) -> Submission:
    data: list[dict[str, Any]] = [{"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"}]
    if options:
        data.append({"asset": "option", "schema": "eod"} | options)
    return Submission.model_validate({"start": start, "end": end, "data": data})


@pytest.mark.parametrize(
    ("start", "end", "field", "says"),
    [
        ("2024-01-05", "2024-01-02", "start", "after end"),
        ("1990-01-02", "1990-01-05", "start", "1998-01-02"),
        ("2024-01-02", "2031-01-02", "end", "2030-12-31"),
        ("2024-01-08", "2024-01-11", "end", "future"),
        ("2024-01-08", "2024-01-10", "end", "2024-01-11 01:45"),
        ("2024-01-06", "2024-01-07", "start", "2024-01-05 and 2024-01-08"),
        ("2024-01-01", "2024-01-01", "start", "2023-12-29 and 2024-01-02"),
    ],
)
def test_it_names_the_field_and_the_way_out(start: str, end: str, field: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_days(request(start, end), NOW)

    assert refused.value.field == field
    assert says in str(refused.value)


def test_closed_days_among_open_ones_are_fine() -> None:
    check_days(request("2024-01-01", "2024-01-07"), NOW)


def test_yesterday_is_settled_at_a_quarter_to_two() -> None:
    yesterday = request("2024-01-09", "2024-01-09")

    check_days(yesterday, datetime(2024, 1, 10, 1, 45, tzinfo=NEW_YORK))
    with pytest.raises(InvalidRequest, match="01:45"):
        check_days(yesterday, datetime(2024, 1, 10, 1, 44, tzinfo=NEW_YORK))


def test_today_may_end_a_range_when_the_market_is_closed_today() -> None:
    check_days(request("2024-01-05", "2024-01-06"), datetime(2024, 1, 6, 12, tzinfo=NEW_YORK))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"root": "SPXW", "expirations": ["2023-12-29", "2024-01-05"]}, "data[1].expirations"),
        ({"root": "SPXW", "expirations": {"min": "2023-12-29", "max": "2024-01-05"}}, "data[1].expirations"),
        ({"contracts": ["SPXW  240105C04700000"]}, "data[1].contracts"),
    ],
)
def test_what_expired_before_the_first_trading_day_is_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match="expired by 2024-01-05") as refused:
        check_days(request("2024-01-06", "2024-01-09", **options), NOW)

    assert refused.value.field == field
    check_days(request("2024-01-05", "2024-01-09", **options), NOW)


@pytest.mark.parametrize("expirations", ["all", {"dte": {"max": 0}}, {"min": "2020-01-03", "max": "2024-01-12"}])
def test_what_may_still_be_traded_is_for_the_vendor_to_tell(expirations: Any) -> None:
    check_days(request("2024-01-06", "2024-01-09", root="SPXW", expirations=expirations), NOW)


def test_open_interest_outlives_its_expiration_by_a_trading_day() -> None:
    check_days(request("2024-01-08", "2024-01-09", root="SPXW", schema="openinterest", expirations=["2024-01-05"]), NOW)
    with pytest.raises(InvalidRequest, match="has no openinterest from 2024-01-09 on"):
        check_days(
            request("2024-01-09", "2024-01-09", root="SPXW", schema="openinterest", expirations=["2024-01-05"]), NOW
        )
