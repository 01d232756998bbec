"""Vendor columns to record columns, for each kind of option record."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.records.option import (
    MAPPINGS,
    Contracts,
    contract_of,
    number_of,
    sortable_schema,
    to_records,
    to_sortable,
    wanted_rows,
)
from stoculus.errors import VendorAnswerMalformed
from stoculus.instruments import OptionContract
from stoculus.records.catalog import RECORDS, Kind, record_type
from stoculus.records.codec import decode, encode

WALL = datetime(2024, 7, 1, 9, 30, 0, 123_000)  # noqa: DTZ001
UTC_TIME = datetime(2024, 7, 1, 13, 30, 0, 123_000, tzinfo=UTC)
KINDS: list[Kind] = list(MAPPINGS)
CONTRACTS = st.builds(
    OptionContract,
    st.just("SPXW"),
    st.dates(date(2012, 6, 1), date(2099, 12, 31)),
    st.integers(1, 99_999_999),
    st.sampled_from(["call", "put"]),
)


def vendor_rows(kind: Kind, *rows: dict[str, Any]) -> pa.RecordBatch:
    """Rows of the vendor in which each number is the place of its column, with changes."""
    columns = MAPPINGS[kind].columns
    plain: dict[str, Any] = {"symbol": "SPXW", "expiration": date(2024, 7, 5), "strike": 5500.0, "right": "CALL"}
    for place, field in enumerate(columns):
        if pa.types.is_timestamp(field.type):
            plain[field.name] = WALL
        elif field.name not in plain:
            plain[field.name] = field.type.to_pandas_dtype()(place)
    made = [plain | row for row in rows or ({},)]
    return pa.RecordBatch.from_arrays(
        [pa.array([row[f.name] for row in made], f.type) for f in columns], schema=columns
    )


def sortable(kind: Kind, *rows: dict[str, Any]) -> pa.RecordBatch:
    vendor = vendor_rows(kind, *rows)
    lines = pa.array(range(2, 2 + vendor.num_rows), pa.int64())
    return to_sortable(vendor, lines, MAPPINGS[kind], record_type(RECORDS["option"][kind]), "SPXW")


def test_there_is_a_mapping_for_each_schema_of_options() -> None:
    assert set(MAPPINGS) == set(RECORDS["option"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_comes_to_the_field_of_its_name(kind: Kind) -> None:
    record = record_type(RECORDS["option"][kind])
    rows = to_records(sortable(kind), record, Contracts("SPXW"))

    [row] = rows.to_pylist()
    places = {name: place for place, name in enumerate(MAPPINGS[kind].columns.names)}
    contract = ("symbol", "root", "expiration", "strike", "right")
    assert [row.pop(name) for name in contract] == ["SPXW  240705C05500000", "SPXW", date(2024, 7, 5), 5500.0, "CALL"]
    assert row.pop("ts_event") == UTC_TIME
    for name, value in row.items():
        assert value == (UTC_TIME if isinstance(value, datetime) else places[name]), name
    assert decode([body or b"" for body in encode(rows, record).to_pylist()], record).equals(rows)


def test_contracts_that_come_later_are_spelled_as_the_first_ones() -> None:
    contracts, record = Contracts("SPXW"), record_type("OptionQuote")
    days = [date(2024, 7, day) for day in (12, 3, 5, 12)]
    found = [
        to_records(sortable("quote", *({"expiration": day} for day in part)), record, contracts)["symbol"].to_pylist()
        for part in (days[:1], days, days[1:2])
    ]

    spelled = [f"SPXW  {day:%y%m%d}C05500000" for day in days]
    assert found == [spelled[:1], spelled, spelled[1:2]]


def test_a_condition_that_is_none_is_null() -> None:
    [row] = to_records(
        sortable("trade", {"ext_condition1": 255}), record_type("OptionTrade"), Contracts("SPXW")
    ).to_pylist()

    assert row["ext_condition1"] is None


def test_a_quote_that_the_report_lacks_is_null() -> None:
    """Before 2023-12-01 (rest.md 10.5)."""
    rows = to_records(sortable("greekseod", {"bid": None}), record_type("OptionGreeksEod"), Contracts("SPXW"))

    assert rows["bid"].null_count == 1
    assert encode(rows, record_type("OptionGreeksEod"))


@given(CONTRACTS)
def test_the_number_of_a_contract_stands_for_it(contract: OptionContract) -> None:
    assert contract_of(number_of(contract), contract.root) == contract


@given(st.lists(CONTRACTS, min_size=2, max_size=10))
def test_numbers_order_as_a_chain_does(contracts: list[OptionContract]) -> None:
    by_number = sorted(contracts, key=number_of)

    assert by_number == sorted(contracts, key=lambda one: (one.expiration, one.strike_thousandths, one.right == "put"))
    assert by_number == sorted(contracts)


@pytest.mark.parametrize(
    ("strike", "thousandths"),
    [(28.57, 28_570), (0.5, 500), (1050.0, 1_050_000), (92.142, 92_142), (99_999.999, 99_999_999)],
)
def test_strikes_keep_their_thousandths(strike: float, thousandths: int) -> None:
    rows = sortable("ohlcv", {"strike": strike, "right": "PUT"})

    assert contract_of(rows["contract"][0].as_py(), "SPXW").strike_thousandths == thousandths
    assert to_records(rows, record_type("OptionOhlcv"), Contracts("SPXW"))["strike"][0].as_py() == strike


def test_only_rows_of_wanted_contracts_stay() -> None:
    rows = sortable("quote", {"strike": 1.0}, {"strike": 2.0}, {"strike": 1.0, "right": "PUT"}, {"strike": 2.0})
    kept = wanted_rows(rows, "SPXW", lambda contract: contract.strike == 2)

    assert kept["line"].to_pylist() == [3, 5]
    assert wanted_rows(rows, "SPXW", lambda _: True).equals(rows)
    assert wanted_rows(rows, "SPXW", lambda _: False).num_rows == 0


@pytest.mark.parametrize("odd", [{"symbol": "SPX"}, {"right": "BOTH"}])
def test_rows_of_another_root_or_right_make_the_answer_no_answer(odd: dict[str, str]) -> None:
    with pytest.raises(VendorAnswerMalformed, match=next(iter(odd.values()))):
        sortable("trade", {}, odd)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_no_rows(kind: Kind) -> None:
    record = record_type(RECORDS["option"][kind])
    nothing = pa.RecordBatch.from_pylist([], sortable_schema(record))

    assert to_records(nothing, record, Contracts("SPXW")).num_rows == 0
    assert wanted_rows(nothing, "SPXW", lambda _: False).num_rows == 0
