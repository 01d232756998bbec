"""Columns of 64-bit words."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from theta_client.stream.table import HEAD, Table, joined

OWN: list[Any] = [
    pa.field("size", pa.int64(), nullable=False),
    pa.field("price", pa.float64()),
    pa.field("code", pa.int32()),
]
SCHEMA = pa.schema([*HEAD, *OWN])
AT_US = 1_700_000_000_000_001


def table(*prices: float, first: int = 0) -> Table:
    rows = np.arange(first, first + len(prices))
    price = np.array(prices, np.float64).view(np.int64)
    return Table(SCHEMA, np.stack([rows, rows + 100, rows % 2, rows + AT_US, -rows, price, rows]))


def test_a_batch_has_the_values_in_their_types() -> None:
    batch = table(1.25, float("nan"), -0.0).batch()

    batch.validate(full=True)
    assert batch.schema == SCHEMA
    assert batch["ts_event"].to_pylist()[0] == datetime.fromtimestamp(AT_US // 1_000_000, UTC).replace(microsecond=1)
    assert batch["price"].to_pylist() == [1.25, None, 0.0]
    assert str(batch["price"][2]) == "-0.0"
    assert batch["size"].to_pylist() == [0, -1, -2]
    assert batch["code"].to_pylist() == [0, 1, 2]


def test_rows_are_chosen_by_a_mask_and_stay_contiguous() -> None:
    some = table(1, 2, 3, 4).where(np.array([True, False, True, True]))

    assert len(some) == 3
    assert some.words.flags.c_contiguous
    assert some.column("price").to_pylist() == [1, 3, 4]
    assert some.instruments.tolist() == [0, 0, 1]
    assert some.received_us.tolist() == [100, 102, 103]


def test_tables_are_joined_in_order() -> None:
    whole = joined([table(1, 2), table(), table(3, first=2)])

    assert whole.words.flags.c_contiguous
    assert whole.batch().equals(table(1, 2, 3).batch())
    assert joined([whole]) is whole


def test_an_empty_table_is_an_empty_batch_of_the_same_columns() -> None:
    assert table().batch().schema == SCHEMA
    assert (len(table()), table().batch().num_rows) == (0, 0)
