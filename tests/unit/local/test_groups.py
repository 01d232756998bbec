from datetime import UTC, datetime

import pyarrow as pa
import pytest

from local.groups import straddles, vwap_per_five_minutes


def test_vwaps_weigh_by_size_within_five_minutes() -> None:
    moments = [datetime(2024, 1, 2, 14, minute, tzinfo=UTC) for minute in (30, 34, 35, 36)]
    trades = pa.table(
        {
            "symbol": ["AAPL", "AAPL", "AAPL", "MSFT"],
            "ts_event": pa.array(moments, pa.timestamp("us", "UTC")),
            "price": [100.0, 103.0, 50.0, 7.0],
            "size": [2, 1, 4, 0],
        }
    )

    rows = vwap_per_five_minutes(trades).to_pylist()

    assert [(row["symbol"], row["bucket"].minute, row["vwap"]) for row in rows] == [
        ("AAPL", 30, 101.0),
        ("AAPL", 35, 50.0),
    ]


def test_calls_and_puts_of_a_strike_imply_the_forward_across_batches() -> None:
    quotes = pa.table(
        {
            "strike": [4700.0, 4700.0, 4705.0, 4705.0],
            "right": ["CALL", "PUT", "CALL", "PUT"],
            "bid": [20.0, 9.0, 17.0, 11.0],
            "ask": [21.0, 10.0, 18.0, 12.0],
        }
    )

    found = straddles(quotes.to_batches(max_chunksize=3))

    assert [(each.strike, each.call, each.put) for each in found] == [(4700.0, 20.5, 9.5), (4705.0, 17.5, 11.5)]
    assert [each.forward for each in found] == [pytest.approx(4711), pytest.approx(4711)]
