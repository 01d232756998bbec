import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stoculus.plot.buckets import COUNT, Buckets, places
from tests.unit.stoculus.plot.made import axis

values = arrays.arrays(np.float64, st.integers(0, 50), elements=st.floats(-1e6, 1e6) | st.just(np.nan))


@given(values, st.integers(1, 50), st.data())
def test_each_bucket_holds_what_its_values_do(
    column: "np.ndarray[tuple[int], np.dtype[np.float64]]", size: int, data: st.DataObject
) -> None:
    where = np.sort(
        np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(column), max_size=len(column))), np.int64)
    )
    buckets = Buckets()
    for start in range(0, len(column), size):
        buckets.add(where[start : start + size], column[start : start + size])

    for number in range(6):
        own = [value for value in column[where == number].tolist() if value == value]
        assert buckets.count[number] == len(own)
        if own:
            assert (buckets.least[number], buckets.greatest[number]) == (min(own), max(own))
            assert buckets.last[number] == own[-1]
            assert buckets.means[number] == pytest.approx(sum(own) / len(own), abs=1e-6)
        else:
            assert np.isnan(buckets.last[number])


def test_a_spike_of_one_record_in_a_million_survives() -> None:
    column = np.full(1_000_000, 100.0)
    column[123_456] = 250.0
    buckets = Buckets()

    buckets.add(np.arange(1_000_000) * COUNT // 1_000_000, column)

    assert buckets.span == (100.0, 250.0)
    assert (buckets.greatest > 200).sum() == 1


def test_nothing_has_neither_span_nor_mean() -> None:
    assert (Buckets().span, Buckets().mean, Buckets().filled.tolist()) == (None, None, [])


def test_the_end_of_the_axis_belongs_to_the_last_bucket() -> None:
    assert places(axis(), np.array([0.0, axis().length])).tolist() == [0, COUNT - 1]
