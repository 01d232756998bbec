from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from stoculus.plot.chain_state import ChainState
from tests.unit.stoculus.plot.made import FRIDAY, MONDAY, chain, opens_us

STRIKES = [4700.0, 4710.0, 4720.0]


def quoted(*batches: pa.RecordBatch) -> ChainState:
    state = ChainState(("bid", "ask"))
    for batch in batches:
        sides = np.array([batch["bid"].to_numpy(), batch["ask"].to_numpy()])
        state.update(state.numbers(batch), sides)
    return state


def test_the_strike_where_both_cost_the_same_is_at_the_money() -> None:
    money = quoted(chain([opens_us()], STRIKES, spot=4711.0)).at_the_money(MONDAY)

    assert money is not None
    assert money.strike == 4710
    assert money.forward == pytest.approx(4711)
    assert (money.bid, money.ask) == pytest.approx((10.8, 11.2))


def test_the_newest_quote_counts() -> None:
    state = quoted(chain([opens_us()], STRIKES, 4711.0), chain([opens_us() + 1], STRIKES, 4702.0))

    money = state.at_the_money(MONDAY)

    assert money is not None
    assert money.strike == 4700
    assert money.forward == pytest.approx(4702)


def test_the_nearest_expiration_that_is_not_over_counts() -> None:
    first, second = date(2024, 1, 9), date(2024, 1, 10)
    state = quoted(chain([opens_us()], STRIKES, 4711.0, second), chain([opens_us()], STRIKES, 4702.0, first))

    forwards = [state.at_the_money(day) for day in (MONDAY, first, second, FRIDAY)]

    assert [each and round(each.forward) for each in forwards] == [4702, 4702, 4711, None]


def test_calls_alone_and_quotes_of_one_side_have_no_straddle() -> None:
    batch = chain([opens_us()], STRIKES, 4711.0)
    calls = batch.filter(pa.array([right == "CALL" for right in batch["right"].to_pylist()]))
    no_bids = chain([opens_us()], STRIKES, 4711.0, spread=1000.0)

    assert quoted(calls).at_the_money(MONDAY) is None
    assert quoted(no_bids).at_the_money(MONDAY) is None


def test_a_new_day_begins_without_quotes() -> None:
    state = quoted(chain([opens_us()], STRIKES, 4711.0))
    state.forget()

    assert state.at_the_money(MONDAY) is None
    assert len(state) == 6


def test_more_contracts_than_there_was_room_for_keep_their_numbers() -> None:
    few, many = chain([opens_us()], STRIKES, 4711.0), chain([opens_us()], [float(n) for n in range(1, 400)], 200.0)
    state = quoted(few, many)

    assert len(state) == 6 + 798
    assert state.numbers(few).tolist() == list(range(6))
    assert state.strike[6:10].tolist() == [1, 1, 2, 2]
    money = state.at_the_money(MONDAY)
    assert money is not None
    assert money.strike in (200, 4710)
