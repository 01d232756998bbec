from datetime import date

import pytest

from simulator.options.parameters import Chain, OptionHistory
from simulator.options.selection import selected
from tests.unit.simulator.options.small_chain import DAY, FAR, NEAR, SmallChain

NEXT = date(2024, 1, 4)


def request(**asked: object) -> OptionHistory:
    start, end = asked.pop("start", DAY), asked.pop("end", DAY)
    chain = {"root": "TEST", "expiration": None, "strike_thousandths": None, "rights": ("call", "put"), **asked}
    return OptionHistory("eod", Chain(**chain), start, end, "csv")  # type: ignore[arg-type]


def chosen(**asked: object) -> list[tuple[date, int, str]]:
    found = selected(SmallChain(), request(**asked), date(2030, 1, 1))
    return [(contract.expiration, contract.strike_thousandths, contract.right) for contract, _ in found]


def test_a_whole_chain_is_in_no_order_of_strikes() -> None:
    found = chosen(expiration=NEAR)

    assert len(found) == len(set(found)) == 10
    assert found != sorted(found)
    assert found == chosen(expiration=NEAR)


def test_the_wildcard_is_every_expiration_of_the_day() -> None:
    assert {expiration for expiration, _, _ in chosen()} == {NEAR, FAR}
    assert len(chosen()) == 20


def test_max_dte_counts_calendar_days() -> None:
    assert {expiration for expiration, _, _ in chosen(max_dte=2)} == {NEAR}
    assert chosen(max_dte=1) == []


def test_a_strike_and_a_right_leave_one_contract() -> None:
    assert chosen(expiration=NEAR, strike_thousandths=95_000, rights=("put",)) == [(NEAR, 95_000, "put")]
    assert set(chosen(strike_thousandths=95_000, rights=("put",))) == {(NEAR, 95_000, "put"), (FAR, 95_000, "put")}


@pytest.mark.parametrize(
    ("spot", "count", "strikes"),
    [
        (1_010_000, 1, {100_000, 105_000}),
        (1_000_000, 1, {95_000, 100_000, 105_000}),
        (1_010_000, 2, {95_000, 100_000, 105_000, 110_000}),
        (2_000_000, 2, {105_000, 110_000}),
    ],
)
def test_a_strike_range_counts_to_both_sides_of_the_spot(spot: int, count: int, strikes: set[int]) -> None:
    found = selected(SmallChain(spot=spot), request(expiration=NEAR, strike_range=count), date(2030, 1, 1))

    assert {contract.strike_thousandths for contract, _ in found} == strikes


def test_all_days_of_a_contract_come_together() -> None:
    found = list(selected(SmallChain(), request(expiration=NEAR, strike_range=5, end=date(2024, 1, 6)), NEXT))

    assert len(found) == 10
    assert all(days == [DAY, NEXT] for _, days in found)


def test_days_to_come_are_not_asked_for() -> None:
    [(_, days)] = selected(
        SmallChain(), request(expiration=NEAR, strike_thousandths=95_000, rights=("put",), end=date(2024, 1, 10)), NEXT
    )

    assert days == [DAY, NEXT]
    later = request(expiration=NEAR, start=date(2024, 1, 5), end=date(2024, 1, 9))
    assert not any(days for _, days in selected(SmallChain(), later, NEXT))
