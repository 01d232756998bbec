from datetime import datetime

import pytest

from simulator.clock import Clock
from simulator.options.lists import OptionLists
from simulator.refusal import Refusal
from stoculus.calendar import NEW_YORK
from tests.unit.simulator.options.small_chain import SmallChain


@pytest.fixture
def lists() -> OptionLists:
    return OptionLists(SmallChain(), Clock(datetime(2024, 1, 3, 12, 0, tzinfo=NEW_YORK)))


def rows(lists: OptionLists, path: str, **query: str) -> list[tuple[str, ...]]:
    _, block = lists.endpoints[f"option/list/{path}"](query)
    return list(zip(*block, strict=True))


def test_roots_and_expirations_ascend_with_impossible_ones_among_them(lists: OptionLists) -> None:
    assert rows(lists, "symbols") == [("OTHER",), ("TEST",)]
    expected = [("TEST", day) for day in ("1882-11-17", "2024-01-05", "2024-01-19")]
    assert rows(lists, "expirations", symbol="TEST") == expected
    assert rows(lists, "expirations", symbol="*") == expected
    assert rows(lists, "expirations", symbol="TEST,OTHER") == expected


def test_strikes_have_three_decimals_and_no_order(lists: OptionLists) -> None:
    strikes = [strike for _, strike in rows(lists, "strikes", symbol="TEST", expiration="20240105")]

    assert strikes == ["105.000", "90.000", "110.000", "100.000", "95.000"]


def test_dates_end_today(lists: OptionLists) -> None:
    assert rows(lists, "dates/quote", symbol="TEST", expiration="2024-01-05") == [("2024-01-03",)]


def test_dates_of_a_contract_are_those_with_its_ticks(lists: OptionLists) -> None:
    contract = {"symbol": "TEST", "expiration": "20240105", "strike": "95"}

    assert rows(lists, "dates/trade", **contract, right="call") == [("2024-01-03",)]
    assert rows(lists, "dates/trade", **contract, right="put") == []
    assert rows(lists, "dates/quote", **{**contract, "strike": "96"}) == []


@pytest.mark.parametrize("path", ["dates/trade", "strikes"])
def test_lists_below_an_expiration_have_no_wildcard(lists: OptionLists, path: str) -> None:
    with pytest.raises(Refusal, match="400"):
        rows(lists, path, symbol="TEST", expiration="*")


def test_contracts_are_those_of_the_day_and_kind(lists: OptionLists) -> None:
    traded = rows(lists, "contracts/trade", symbol="TEST", date="20240103")

    assert len(traded) == 10
    assert traded[0] == ("TEST", "2024-01-19", "105.000", "CALL")
    assert len(rows(lists, "contracts/quote", date="20240103")) == 20
    assert {row[1] for row in rows(lists, "contracts/quote", date="20240103", max_dte="2")} == {"2024-01-05"}
    assert rows(lists, "contracts/quote", symbol="TEST", date="20240104") == []
