import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.records import framing


@given(st.integers(0, 2**32 - 1), st.binary())
def test_header_and_body_come_apart_again(schema_id: int, body: bytes) -> None:
    value = framing.header(schema_id) + body

    assert framing.schema_id(value) == schema_id
    assert framing.body(value) == body


def test_the_id_is_big_endian_behind_a_zero() -> None:
    assert framing.header(258) == b"\0\0\0\1\2"


@pytest.mark.parametrize("value", [b"", b"\0\0\0\1", b"\1\0\0\0\1rest", b'{"json": 1}'])
def test_what_has_no_header_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        framing.schema_id(value)
