"""Which contracts a selection means, and how a wrong one is refused."""

import json
from datetime import date, timedelta
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from stoculus.errors import InvalidRequest
from stoculus.instruments import OptionContract
from stoculus.located import Located
from stoculus.selection import MOST_NAMED, ChainSelection, refuse_unknown
from stoculus.tasks import OptionTask

CALL = "SPXW  240105C04700000"
PUT = "SPXW  240105P04700000"
DAY = date(2024, 1, 2)


class Holder(BaseModel):
    one: Annotated[ChainSelection, Located]


def chain(**changes: Any) -> ChainSelection:
    return ChainSelection.model_validate({"expirations": "all"} | changes)


def refusal(**fields: Any) -> tuple[str, str]:
    """The path of the first wrong field below the selection, and what is told of it."""
    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"one": fields})
    first = refused.value.errors()[0]
    context = first.get("ctx", {})
    path = [*first["loc"][1:], context.get("field")]
    return ".".join(str(part) for part in path if part not in (None, "")), first["msg"] + context.get("remedy", "")


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (5, "expirations", "not given as 5"),
        ("2024-01-05", "expirations", 'Give a list of days, {"min": day, "max": day}'),
        (True, "expirations", "not given as True"),
        ({}, "expirations", "not given as {}"),
        ({"mn": "2024-01-05"}, "expirations", "Give a list"),
        ([], "expirations", "empty"),
        (["2024-01-01"] * (MOST_NAMED + 1), "expirations", "5001 are too many"),
        (["2024-01-05", 20240105], "expirations.1", "20240105 is no day"),
        (["1704153600"], "expirations.0", "Write a day as 2024-01-02"),
        (["2024-W01-1"], "expirations.0", "is no day"),
        (["05.01.2024"], "expirations.0", "is no day"),
        (["2024-02-30"], "expirations.0", "is no day"),
        ([None], "expirations.0", "None is no day"),
        ([["2024-01-05"]], "expirations.0", "is no day"),
        ({"min": "2024-01-05"}, "expirations.max", "required"),
        ({"min": "2024-01-05", "max": "2024-01-02"}, "expirations", "min 2024-01-05 is above max 2024-01-02"),
        ({"min": "2024-01-05", "max": 7}, "expirations.max", "7 is no day"),
        ({"min": "2024-01-05", "max": "2024-01-08", "maxx": 1}, "expirations.maxx", "Did you mean 'max'"),
        ({"dte": 7}, "expirations.dte", 'Give {"min": 0, "max": 7}'),
        ({"dte": {"max": 7}, "min": "2024-01-05"}, "expirations.min", "'min' is not a field"),
        ({"dte": {"min": 0}}, "expirations.dte.max", "required"),
        ({"dte": {"min": 3, "max": 1}}, "expirations.dte", "min 3 is above max 1"),
        ({"dte": {"min": -1, "max": 1}}, "expirations.dte.min", "0 to 4000"),
        ({"dte": {"max": 1.5}}, "expirations.dte.max", "1.5"),
        ({"dte": {"max": True}}, "expirations.dte.max", "whole number"),
    ],
)
def test_wrong_expirations_are_named_by_path_and_told_in_words(value: Any, field: str, says: str) -> None:
    path, told = refusal(expirations=value)

    assert path == field
    assert says in told


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (4700, "strikes", 'Give a list of dollars, {"min": x, "max": y}'),
        ("ALL", "strikes", "'ALL'"),
        (None, "strikes", "None"),
        ([], "strikes", "empty"),
        ([4700, "4800"], "strikes.1", "'4800' is no strike"),
        ([True], "strikes.0", "True is no strike"),
        ([float("nan")], "strikes.0", "nan is no strike"),
        ([float("inf")], "strikes.0", "inf is no strike"),
        ([10**400], "strikes.0", "is no strike"),
        ([0], "strikes.0", "above 0"),
        ([0.0001], "strikes.0", "three decimals"),
        ([-1], "strikes.0", "-1 is no strike"),
        ([100_000], "strikes.0", "below 100000"),
        ([12.3456], "strikes.0", "three decimals"),
        ({"min": 4800, "max": 4600}, "strikes", "min 4800.0 is above max 4600.0"),
        ({"min": 4800}, "strikes.max", "required"),
        ({"max": "4800", "min": 1}, "strikes.max", "is no strike"),
        ({"around_spot": 0}, "strikes.around_spot", "1 to 1000"),
        ({"around_spot": 2.0}, "strikes.around_spot", "whole number"),
        ({"around_spot": 3, "min": 1}, "strikes.min", "known are around_spot"),
    ],
)
def test_wrong_strikes_are_named_by_path_and_told_in_words(value: Any, field: str, says: str) -> None:
    path, told = refusal(expirations="all", strikes=value)

    assert path == field
    assert says in told


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"contracts": []}, "contracts", "empty"),
        ({"contracts": [CALL, "AAPL"]}, "contracts.1", "not an OSI symbol"),
        ({"contracts": [CALL, 5]}, "contracts.1", "string"),
        ({"contracts": ["SPXW  240230C04700000"]}, "contracts.0", "not an OSI symbol"),
        ({"contracts": ["SPXW  240105C00000000"]}, "contracts.0", "strike of 0"),
        ({"contracts": [CALL] * (MOST_NAMED + 1)}, "contracts", "too many"),
        ({"contracts": [CALL], "expirations": "all"}, "expirations", "Leave expirations or contracts out"),
        ({"contracts": [CALL], "strikes": [4700]}, "strikes", "Leave strikes or contracts out"),
        ({"contracts": [CALL], "right": "call"}, "right", "Leave right or contracts out"),
        ({}, "expirations", "or contracts as OSI symbols"),
        ({"expirations": "all", "right": "calls"}, "right", "'call', 'put' or 'both'"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], field: str, says: str) -> None:
    path, told = refusal(**fields)

    assert path == field
    assert says in told


def test_each_wrong_element_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"one": {"expirations": ["x", "2024-01-05", "y"], "strikes": [0]}})

    assert [error["loc"][1:] for error in refused.value.errors()] == [
        ("expirations", 0),
        ("expirations", 2),
        ("strikes", 0),
    ]


def test_days_and_strikes_are_kept_in_order_each_once() -> None:
    one = chain(expirations=["2024-02-16", "2024-01-05", "2024-02-16"], strikes=[4700, 12.5, 4700.0])

    assert one.expirations == [date(2024, 1, 5), date(2024, 2, 16)]
    assert one.strikes == [12.5, 4700.0]


def test_osi_symbols_are_taken_as_people_write_them() -> None:
    one = ChainSelection(contracts=["spxw240105p04700000", CALL, PUT])

    assert one.contracts == [PUT, CALL, PUT]
    assert [contract.osi for contract in one.named] == [CALL, PUT]


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"expirations": ["2024-02-16", "2024-01-05"]}, date(2024, 2, 16)),
        ({"expirations": {"min": "2024-01-01", "max": "2024-03-01"}}, date(2024, 3, 1)),
        ({"expirations": None, "contracts": [CALL, "SPX   240119C04700000"]}, date(2024, 1, 19)),
        ({"expirations": {"dte": {"max": 7}}}, None),
        ({"expirations": "all"}, None),
    ],
)
def test_the_last_expiration_is_known_where_there_is_one(fields: dict[str, Any], last: date | None) -> None:
    assert chain(**fields).last_expiration == last


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"expirations": ["2024-01-05"]}, True),
        ({"expirations": ["2024-01-06"]}, False),
        ({"expirations": {"min": "2024-01-05", "max": "2024-01-05"}}, True),
        ({"expirations": {"min": "2024-01-06", "max": "2024-01-08"}}, False),
        ({"expirations": {"dte": {"max": 3}}}, True),
        ({"expirations": {"dte": {"max": 2}}}, False),
        ({"expirations": {"dte": {"min": 4, "max": 9}}}, False),
        ({"strikes": [4700]}, True),
        ({"strikes": [4700.001]}, False),
        ({"strikes": {"min": 4700, "max": 4700}}, True),
        ({"strikes": {"min": 4700.001, "max": 4800}}, False),
        ({"strikes": {"around_spot": 1}}, True),
        ({"right": "call"}, True),
        ({"right": "put"}, False),
        ({"expirations": None, "contracts": [PUT, CALL]}, True),
        ({"expirations": None, "contracts": [PUT]}, False),
    ],
)
def test_a_contract_is_wanted_when_all_parts_want_it(fields: dict[str, Any], wanted: bool) -> None:
    assert chain(**fields).has(OptionContract.parse(CALL), DAY) is wanted


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="Did you mean 'strikes'") as refused:
        refuse_unknown({"strike": 1}, ChainSelection, "a chain")

    assert refused.value.field == "strike"


days = st.dates(date(2012, 6, 1), date(2030, 12, 31))
thousandths = st.integers(1, 99_999_999)
ranges = st.tuples(thousandths, thousandths).map(lambda pair: {"min": min(pair) / 1000, "max": max(pair) / 1000})
expirations = st.one_of(
    st.just("all"),
    st.lists(days.map(str), min_size=1),
    st.tuples(days, days).map(lambda pair: {"min": str(min(pair)), "max": str(max(pair))}),
    st.tuples(st.integers(0, 4000), st.integers(0, 4000)).map(lambda p: {"dte": {"min": min(p), "max": max(p)}}),
)
strikes = st.one_of(
    st.just("all"),
    st.lists(thousandths.map(lambda n: n / 1000), min_size=1),
    ranges,
    st.integers(1, 1000).map(lambda n: {"around_spot": n}),
)
selections = st.fixed_dictionaries(
    {"expirations": expirations}, optional={"strikes": strikes, "right": st.sampled_from(["call", "put", "both"])}
)


@given(selections)
def test_a_selection_survives_json_and_reaches_a_service_as_it_is(fields: dict[str, Any]) -> None:
    one = ChainSelection.model_validate(fields)
    task = OptionTask.model_validate(
        fields | {"backtest_id": "x", "root": "SPXW", "start": "2024-01-02", "end": "2024-01-05"}
    )

    assert ChainSelection.model_validate(json.loads(one.model_dump_json())) == one
    assert OptionTask.model_validate_json(task.model_dump_json(by_alias=True)) == task


@given(selections, days, days, thousandths, st.sampled_from(["call", "put"]))
def test_has_is_what_the_request_says(
    fields: dict[str, Any], day: date, expiration: date, strike: int, right: Any
) -> None:
    contract = OptionContract("SPXW", expiration, strike, right)

    assert ChainSelection.model_validate(fields).has(contract, day) is (
        _wants_expiration(fields["expirations"], expiration, day)
        and _wants_strike(fields.get("strikes", "all"), strike)
        and fields.get("right", "both") in (right, "both")
    )


def _wants_expiration(wanted: Any, expiration: date, day: date) -> bool:
    if isinstance(wanted, list):
        return str(expiration) in wanted
    if isinstance(wanted, dict) and "dte" in wanted:
        first, last = (day + timedelta(days=wanted["dte"][end]) for end in ("min", "max"))
        return first <= expiration <= last
    return wanted == "all" or bool(wanted["min"] <= str(expiration) <= wanted["max"])


def _wants_strike(wanted: Any, strike: int) -> bool:
    if isinstance(wanted, list):
        return strike / 1000 in wanted
    return wanted == "all" or "around_spot" in wanted or bool(wanted["min"] <= strike / 1000 <= wanted["max"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["min", "max", "dte"]), inner),
)


@given(st.sampled_from(["expirations", "strikes", "right", "contracts"]), json_values)
def test_any_json_is_a_selection_or_refused_at_its_field(field: str, value: Any) -> None:
    try:
        Holder.model_validate({"one": {"expirations": "all", field: value}})
    except ValidationError as error:
        for one in error.errors():
            assert "function-" not in str(one["loc"])
