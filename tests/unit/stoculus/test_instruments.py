import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.errors import InvalidRequest
from stoculus.instruments import Stock

TICKERS = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True)


@given(TICKERS)
def test_a_canonical_ticker_stays_as_it_is(ticker: str) -> None:
    assert Stock.parse(ticker).ticker == ticker


@given(TICKERS, st.sampled_from(["", " ", "\t", "\n"]))
def test_case_slashes_and_space_around_do_not_matter(ticker: str, space: str) -> None:
    assert Stock.parse(space + ticker.lower().replace(".", "/") + space) == Stock(ticker)


@given(st.text(max_size=40))
def test_whatever_is_read_is_canonical_or_refused(text: str) -> None:
    try:
        stock = Stock.parse(text)
    except InvalidRequest as error:
        assert error.field == "symbol"  # noqa: PT017
    else:
        assert Stock.parse(stock.ticker) == stock


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".B",
        "-A",
        "A B",
        "AAPL$",
        "../etc",
        "A" * 17,
        "Ä",
        "ß",
        "AAPL\x00",
        "AAPL\nMSFT",
        "*",
        "A_B",
        "ﬁ",
        "\uff11",
    ],
)
def test_what_cannot_be_a_ticker_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Stock.parse(text, field="data[0].symbols[3]")

    assert caught.value.field == "data[0].symbols[3]"
    assert caught.value.remedy


def test_a_share_class_stands_behind_a_dot() -> None:
    assert Stock.parse("brk/b") == Stock.parse("BRK.B") == Stock("BRK.B")


def test_a_refusal_quotes_a_long_text_in_part_only() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Stock.parse("x" * 100_000)

    assert len(str(caught.value)) < 300
