import pytest

from simulator.damage import damage_column, damage_row
from simulator.faults import Column, Row

BODY = b"timestamp,size,price\r\nt1,1,1.19\r\nt2,2,2.00\r\nt3,3,3.00\r\n\r\n"


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ({"kind": "drop_cell"}, b"t2,2"),
        ({"kind": "drop_cell", "column": "size"}, b"t2,2.00"),
        ({"kind": "extra_cell"}, b"t2,2,2.00,0"),
        ({"kind": "nan", "column": "size"}, b"t2,NaN,2.00"),
        ({"kind": "non_utf8"}, b"t2,2,2.00\xff\xfe"),
        ({"kind": "revised"}, b"t2,2,2.01"),
    ],
)
def test_one_row_is_damaged_and_no_other(fault: dict[str, str], row: bytes) -> None:
    damaged = damage_row(BODY, Row.model_validate({**fault, "row": 2}))

    assert damaged == BODY.replace(b"t2,2,2.00", row)


def test_a_nine_is_revised_to_a_zero() -> None:
    assert b"t1,1,1.10\r\n" in damage_row(BODY, Row(kind="revised", row=1))


def test_a_row_out_of_order_changes_places_with_the_last() -> None:
    damaged = damage_row(BODY, Row(kind="out_of_order", row=1))

    assert damaged == b"timestamp,size,price\r\nt3,3,3.00\r\nt2,2,2.00\r\nt1,1,1.19\r\n\r\n"


def test_a_row_beyond_the_end_is_no_fault() -> None:
    assert damage_row(BODY, Row(kind="nan", row=4)) == BODY


@pytest.mark.parametrize(
    ("fault", "header", "row"),
    [
        ({"kind": "column_renamed", "column": "size"}, b"timestamp,size_renamed,price", b"t1,1,1.19"),
        ({"kind": "column_missing", "column": "size"}, b"timestamp,price", b"t1,1.19"),
        ({"kind": "column_added"}, b"timestamp,size,price,added", b"t1,1,1.19,0"),
        ({"kind": "column_moved", "column": "timestamp"}, b"size,price,timestamp", b"1,1.19,t1"),
    ],
)
def test_a_column_changes_from_the_header_to_the_last_row(fault: dict[str, str], header: bytes, row: bytes) -> None:
    lines = damage_column(BODY, Column.model_validate(fault)).split(b"\r\n")

    assert lines[0] == header
    assert lines[1] == row
    assert len({line.count(b",") for line in lines[:4]}) == 1
    assert lines[4:] == [b"", b""]
