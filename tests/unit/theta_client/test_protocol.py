import pytest

from stoculus.errors import (
    LargeRequest,
    NoData,
    SessionTaken,
    StoculusError,
    TierTooLow,
    Transient,
    VendorBusy,
    VendorDisconnected,
    VendorFault,
    VendorRefused,
    VendorStarting,
)
from theta_client.protocol import Tier, error_of, own_tier, plain_text, required_tier

REFUSED = (
    "Requesting a stock endpoint requiring a professional subscription, but you only have a STANDARD subscription. "
    "Please consider upgrading!"
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, VendorRefused),
        (400, VendorRefused),
        (403, TierTooLow),
        (404, VendorRefused),
        (406, VendorRefused),
        (410, VendorRefused),
        (418, VendorRefused),
        (429, VendorBusy),
        (470, VendorFault),
        (471, TierTooLow),
        (472, NoData),
        (473, VendorRefused),
        (474, VendorDisconnected),
        (475, VendorRefused),
        (476, VendorRefused),
        (477, VendorFault),
        (478, SessionTaken),
        (500, VendorFault),
        (503, VendorDisconnected),
        (570, LargeRequest),
        (571, VendorStarting),
        (572, VendorFault),
        (599, VendorFault),
    ],
)
def test_each_status_is_one_error_that_keeps_the_vendors_text(status: int, kind: type[StoculusError]) -> None:
    error = error_of(status, b"the vendor's words", "stock/history/eod AAPL 2024-01-02")
    assert type(error) is kind
    assert "the vendor's words" in error.message
    assert "stock/history/eod AAPL 2024-01-02" in error.message
    assert str(status) in error.message
    assert error.remedy
    assert error.detail == "the vendor's words"


def test_what_passes_by_itself_is_transient() -> None:
    transient = {status for status in range(300, 600) if isinstance(error_of(status, b"", "x"), Transient)}
    assert transient == {429, 470, 474, 477, 478, 571, 572} | set(range(500, 600)) - {570}


def test_too_many_days_is_a_large_request() -> None:
    assert type(error_of(400, b"Too many days between start and end date", "x")) is LargeRequest


def test_a_403_names_both_tiers() -> None:
    error = error_of(403, REFUSED.encode(), "stock/history/trade AAPL 2024-01-02")
    assert own_tier(REFUSED) is Tier.STANDARD
    assert required_tier(REFUSED) is Tier.PRO
    assert error.message.startswith("The account's tier (standard) may not read stock/history/trade AAPL 2024-01-02; ")
    assert "needed: pro" in error.message


def test_a_403_for_options_names_tier_and_request() -> None:
    text = (
        "Requesting an option endpoint requiring a professional subscription, but you only have a VALUE subscription. "
        "Please consider upgrading!"
    )
    error = error_of(403, text.encode(), "option/history/greeks/all SPXW 2024-01-05 * both 1m 2024-01-02")
    assert type(error) is TierTooLow
    assert error.message.startswith(
        "The account's tier (value) may not read option/history/greeks/all SPXW 2024-01-05 * both 1m 2024-01-02;"
        " needed: pro."
    )


def test_the_note_on_index_options_is_no_data() -> None:
    note = b"No data found for your request. Note: Index options have special symbols."
    error = error_of(472, note, "option/history/quote SPX 2024-01-05 * both 1m 2024-01-02")
    assert type(error) is NoData
    assert "special symbols" in error.message


def test_a_403_of_other_words_names_no_tier() -> None:
    assert own_tier("Forbidden") is None
    assert required_tier("requiring a platinum subscription") is None
    assert "not named" in error_of(403, b"Forbidden", "x").message


@pytest.mark.parametrize(("tier", "concurrency"), [("free", 1), ("value", 2), ("standard", 4), ("pro", 8)])
def test_a_tier_has_its_concurrency(tier: str, concurrency: int) -> None:
    assert Tier(tier).concurrency == concurrency


def test_an_html_page_becomes_its_words() -> None:
    page = b"<html>\n<head><title>Error 500</title><style>b { }</style></head>\n<body><h2>HTTP ERROR 500</h2></body>"
    assert plain_text(page) == "Error 500 HTTP ERROR 500"
    assert len(plain_text(b"word " * 1000)) == 300
    assert plain_text(b"\xff\xfe") == "��"
