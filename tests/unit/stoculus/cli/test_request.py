from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from stoculus.cli.request import Selection, backtest, stream
from stoculus.selection import ChainSelection

FIVE_CALL = "SPXW  240105C04700000"
NOTHING: dict[str, Any] = dict.fromkeys(Selection.__dataclass_fields__)


def selected(**given: Any) -> Selection:
    return Selection(**NOTHING | given)


def body(**given: Any) -> Any:
    return backtest(None, selected(**given), "2024-01-05", None, None)


def chain(**given: Any) -> dict[str, Any]:
    (selection,) = body(root="SPXW", **given)["data"]
    return {name: value for name, value in selection.items() if name not in ("asset", "root", "schema")}


def test_one_command_may_hold_stocks_and_a_chain() -> None:
    both = selected(symbols="AAPL,MSFT", root="spxw", expirations="2024-01-05", schema="quote", interval="1m")

    assert backtest(None, both, "2024-01-05", None, None) == {
        "start": "2024-01-05",
        "end": "2024-01-05",
        "data": [
            {"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "quote", "interval": "1m"},
            {"asset": "option", "root": "SPXW", "expirations": ["2024-01-05"], "schema": "quote", "interval": "1m"},
        ],
    }


@pytest.mark.parametrize(
    ("given", "narrowed"),
    [
        ({"expirations": "all"}, {"expirations": "all"}),
        ({"expirations": "2024-01-12,2024-01-05"}, {"expirations": ["2024-01-05", "2024-01-12"]}),
        (
            {"expirations": "2024-01-05:2024-02-16"},
            {"expirations": {"min": "2024-01-05", "max": "2024-02-16"}},
        ),
        ({"dte": "0"}, {"expirations": {"dte": {"min": 0, "max": 0}}}),
        ({"dte": "1:7"}, {"expirations": {"dte": {"min": 1, "max": 7}}}),
        ({"dte": "0", "strikes": "4700.5,4600"}, {"strikes": [4600.0, 4700.5]}),
        ({"dte": "0", "strikes": "4600:4800"}, {"strikes": {"min": 4600.0, "max": 4800.0}}),
        ({"dte": "0", "strikes": "all", "right": "put"}, {"strikes": "all", "right": "put"}),
        ({"dte": "0", "around_spot": 10}, {"strikes": {"around_spot": 10}}),
    ],
)
def test_lists_ranges_and_all_are_told_apart(given: dict[str, Any], narrowed: dict[str, Any]) -> None:
    assert chain(**given) == {"expirations": {"dte": {"min": 0, "max": 0}}} | narrowed


def test_contracts_are_named_in_full() -> None:
    data = body(contract=[FIVE_CALL, "AAPL240119P00185000"])["data"]

    assert data == [{"asset": "option", "contracts": [FIVE_CALL, "AAPL  240119P00185000"], "schema": "ohlcv"}]


@pytest.mark.parametrize(
    ("given", "flag", "told"),
    [
        ({"strikes": "4600"}, "--strikes", "Name the --root"),
        ({"right": "call", "symbols": "AAPL"}, "--right", "Name the --root"),
        ({"root": "SPXW"}, "--root", "--dte 0:7"),
        ({"root": "SP XW", "dte": "0"}, "--root", "is not an option root"),
        ({"root": "SPXW", "dte": "0", "expirations": "all"}, "--dte", "not both"),
        ({"root": "SPXW", "dte": "0", "strikes": "1", "around_spot": 2}, "--around-spot", "not both"),
        ({"root": "SPXW", "dte": "x"}, "--dte", "'x' does not fit here"),
        ({"root": "SPXW", "dte": "7:0"}, "--dte", "Swap them"),
        ({"root": "SPXW", "expirations": "05.01.2024"}, "--expirations", "'05.01.2024' is no day. Write a day as"),
        ({"root": "SPXW", "expirations": "2024-01-05:"}, "--expirations", "'' is no day"),
        ({"root": "SPXW", "expirations": "2024-02-05:2024-01-05"}, "--expirations", "Swap them"),
        ({"root": "SPXW", "dte": "0", "strikes": "4600-4800"}, "--strikes", "'4600-4800' is no strike"),
        ({"root": "SPXW", "dte": "0", "strikes": "4600:"}, "--strikes", "'' is no strike"),
        ({"root": "SPXW", "dte": "0", "strikes": "4800:4600"}, "--strikes", "Swap them"),
        ({"root": "SPXW", "dte": "0", "strikes": "1.2345"}, "--strikes", "three decimals"),
        (
            {"root": "SPXW", "dte": "0", "around_spot": 0},
            "--around-spot",
            "0 does not fit here. Use a whole number, 1 to",
        ),
        ({"root": "SPXW", "dte": "0", "right": "calls"}, "--right", "Input should be 'call'"),
        ({"contract": ["SPXW 4700"]}, "--contract", "is not an OSI symbol"),
        ({"contract": [FIVE_CALL], "root": "SPXW"}, "--root", "leave this out"),
    ],
)
def test_what_is_wrong_is_told_by_its_flag(given: dict[str, Any], flag: str, told: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        body(**given)

    assert caught.value.param_hint == flag
    assert told in caught.value.message


@given(
    st.sampled_from(["expirations", "dte", "strikes"]),
    st.text(st.sampled_from("0123456789-:,.all"), max_size=24),
)
def test_whatever_is_written_is_a_selection_or_refused(flag: str, text: str) -> None:
    others = {} if flag in ("expirations", "dte") else {"dte": "0"}
    narrowed: dict[str, Any] | None = None
    blamed: Any = f"--{flag}"
    try:
        narrowed = chain(**others | {flag: text})
    except typer.BadParameter as error:
        blamed = error.param_hint

    assert blamed == f"--{flag}"
    assert (
        narrowed is None
        or ChainSelection.model_validate(narrowed).model_dump(mode="json", exclude_unset=True) == narrowed
    )


def test_a_file_and_an_option_exclude_each_other() -> None:
    with pytest.raises(typer.BadParameter, match="not both"):
        backtest("request.json", selected(contract=[FIVE_CALL]), None, None, None)
    with pytest.raises(typer.BadParameter, match="not both"):
        stream("request.json", selected(), None, "2d", None)


def test_a_stream_has_no_days_and_says_only_what_was_given() -> None:
    data = [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "trade"}]
    chosen = selected(symbols="AAPL,MSFT", schema="trade")

    assert stream(None, chosen, None, None, None) == {"data": data}
    assert stream(None, chosen, "regular", "2d", "tape") == {
        "stream_id": "tape",
        "session": "regular",
        "warmup": "2d",
        "data": data,
    }


def test_a_stream_of_nothing_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="--symbols, --root or --contract"):
        stream(None, selected(schema="trade"), None, None, None)


def test_a_stream_is_written_in_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "stream.json").write_text('{"data": []}')

    assert stream(str(tmp_path / "stream.json"), selected(), None, None, None) == {"data": []}
