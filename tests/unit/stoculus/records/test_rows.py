from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from stoculus.records.catalog import record_type
from stoculus.records.rows import datetimes, row_type, rows
from tests.unit.stoculus.reading.feeds import OPEN_US, records


def test_a_record_has_the_columns_as_fields_with_their_types() -> None:
    quote = record_type("OptionQuote")
    batch = records(quote, [OPEN_US], root=["SPXW"], right=["CALL"], expiration=[date(2024, 1, 5)])

    [row] = rows(batch, quote)

    assert isinstance(row, row_type(quote))
    assert (type(row).__name__, row._fields) == ("OptionQuote", tuple(quote.arrow.names))
    assert (row.ts_event, row.expiration, row.right) == (
        datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        date(2024, 1, 5),
        "CALL",
    )


def test_what_may_be_null_is_none() -> None:
    greeks = record_type("OptionGreeksEod")
    batch = records(greeks, [OPEN_US], root=["SPXW"], right=["PUT"], underlying_timestamp=[None])

    assert rows(batch, greeks)[0].underlying_timestamp is None


@pytest.mark.parametrize("name", ["StockQuote", "StockOhlcv", "OptionTradeGreeksAll"])
def test_rows_say_what_arrow_says(name: str) -> None:
    record = record_type(name)
    own: dict[str, Any] = {"root": ["SPXW"] * 3, "right": ["PUT"] * 3} if name.startswith("Option") else {}
    batch = records(record, [OPEN_US + n for n in range(3)], **own)

    assert [list(row) for row in rows(batch, record)] == [list(row.values()) for row in batch.to_pylist()]


def test_the_greek_that_is_a_word_of_python_has_an_underscore() -> None:
    assert "lambda_" in row_type(record_type("OptionGreeksAll"))._fields


def test_times_keep_their_microseconds() -> None:
    assert datetimes(np.array([OPEN_US + 1, -1])) == [
        datetime(2024, 1, 2, 14, 30, 0, 1, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    ]
