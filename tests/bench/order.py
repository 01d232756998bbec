"""Are the records of a chain in the market's order?"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def count_in_order(batches: Iterable[pa.RecordBatch]) -> int:
    """The rows of option records; raise RuntimeError where one stands before its turn.

    The order is by event time, expiration, strike, calls before puts.
    """
    records = 0
    last: list[Any] = [[], [], [], []]
    for batch in batches:
        columns = [np.append(end, column) for end, column in zip(last, _columns(batch), strict=True)]
        in_order = np.lexsort(columns[::-1]) == np.arange(len(columns[0]))
        if not in_order.all():
            raise RuntimeError(f"after record {records} comes one before its turn")
        records += batch.num_rows
        last = [column[-1:] for column in columns]
    return records


def _columns(rows: pa.RecordBatch) -> list[Any]:
    return [
        rows["ts_event"].cast(pa.int64()).to_numpy(),
        rows["expiration"].cast(pa.int32()).to_numpy(),
        rows["strike"].to_numpy(),
        pc.equal(rows["right"], pa.scalar("PUT")).to_numpy(zero_copy_only=False),
    ]
