from datetime import date, time

import pytest

from stoculus.errors import NoData, VendorAnswerMalformed
from theta_client.lists import CalendarDay, calendar_day_of, day_of, parse_list


def test_quoted_and_bare_cells_and_a_trailing_empty_line_are_read() -> None:
    body = b'symbol\r\n"A"\r\nBRK.B\r\n".PR.S/WI"\r\n\r\n'
    assert parse_list(body, ["symbol"], lambda row: row["symbol"], "list") == ["A", "BRK.B", ".PR.S/WI"]


def test_dates_are_dates() -> None:
    assert parse_list(b"date\n2016-08-16\n2016-08-17\n", ["date"], day_of, "x") == [
        date(2016, 8, 16),
        date(2016, 8, 17),
    ]


def test_a_closed_day_has_no_hours_and_a_half_day_ends_at_one() -> None:
    body = b"date,type,open,close\r\n2024-12-24,early_close,09:30:00,13:00:00\r\n2024-12-25,full_close,,\r\n"
    assert parse_list(body, ["date"], calendar_day_of, "x") == [
        CalendarDay("early_close", time(9, 30), time(13)),
        CalendarDay("full_close", None, None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"date\nnot a day\n",
        b"type,open,close\nsometimes,,\n",
        b"\xff\xfe",
        b'date\n"2024-01-02',
    ],
)
def test_what_is_no_list_is_refused_with_evidence(body: bytes) -> None:
    columns, read_row = (["type"], calendar_day_of) if body.startswith(b"type") else (["date"], day_of)
    with pytest.raises(VendorAnswerMalformed, match="answered stock/list with 200 and no list") as refused:
        parse_list(body, columns, read_row, "stock/list")
    assert refused.value.remedy


@pytest.mark.parametrize("body", [b"No data found for your request", b"date\r\n\r\n"])
def test_no_data_with_200_is_no_data(body: bytes) -> None:
    with pytest.raises(NoData):
        parse_list(body, ["date"], day_of, "x")
