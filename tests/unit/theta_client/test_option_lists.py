from datetime import date

import pytest

from stoculus.errors import InvalidRequest, VendorAnswerMalformed
from stoculus.instruments import OptionContract
from theta_client.lists import parse_list
from theta_client.option_lists import CONTRACT_COLUMNS, contract_reader, expiration_of, strike_of


def contracts(*rows: str, root: str = "SPXW") -> list[OptionContract | None]:
    body = "\r\n".join(["symbol,expiration,strike,right", *rows, "", ""]).encode()
    return parse_list(body, CONTRACT_COLUMNS, contract_reader(root), "option/list/contracts/quote")


def test_quoted_and_bare_contracts_are_read() -> None:
    expected = OptionContract("SPXW", date(2024, 1, 5), 4_700_000, "call")
    assert contracts('"SPXW","2024-01-05",4700.000,"CALL"', "SPXW,2024-01-05,4700,CALL") == [expected, expected]
    assert contracts('"SPXW","2024-01-05",92.143,"PUT"') == [OptionContract("SPXW", date(2024, 1, 5), 92_143, "put")]


def test_the_root_is_canonical_however_the_vendor_spells_it() -> None:
    expected = OptionContract("BRK.B", date(2024, 1, 5), 300_000, "call")
    assert contracts("BRK/B,2024-01-05,300.000,CALL", "BRK.B,2024-01-05,300.000,CALL", root="BRK/B") == [expected] * 2


@pytest.mark.parametrize(
    ("expiration", "strike"),
    [
        ("1882-01-01", "100.000"),
        ("2103-01-01", "100.000"),
        ("2024-01-05", "100000.000"),
        ("2024-01-05", "0.0005"),
        ("2024-01-05", "-5.000"),
    ],
)
def test_what_no_osi_symbol_can_hold_is_none(expiration: str, strike: str) -> None:
    assert contracts(f"SPXW,{expiration},{strike},CALL") == [None]


@pytest.mark.parametrize(
    "row",
    [
        "SPX,2024-01-05,4700.000,CALL",
        "SPXW,2024-01-55,4700.000,CALL",
        "SPXW,2024-01-05,four,CALL",
        "SPXW,2024-01-05,NaN,CALL",
        "SPXW,2024-01-05,Infinity,CALL",
        "SPXW,2024-01-05,,CALL",
        "SPXW,2024-01-05,4700.000,STRADDLE",
        "SPXW,2024-01-05",
    ],
)
def test_what_is_no_contract_of_the_root_is_refused(row: str) -> None:
    with pytest.raises(VendorAnswerMalformed, match="no list"):
        contracts(row)


def test_what_can_be_no_root_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not an option root"):
        contract_reader("much too long")


def test_expirations_and_strikes_are_read_one_by_one() -> None:
    body = b'symbol,expiration\r\n"SPXW","1882-01-01"\r\nSPXW,2024-01-05\r\n'
    assert parse_list(body, ["expiration"], expiration_of, "x") == [None, date(2024, 1, 5)]
    body = b'symbol,strike\r\n"AAPL",80.000\r\nAAPL,92.5\r\nAAPL,28.57\r\n'
    assert parse_list(body, ["strike"], strike_of, "x") == [80_000, 92_500, 28_570]
