"""Stocks and chains as panels: what is drawn of which records."""

from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from stoculus.calendar import to_utc_us
from stoculus.plot.axis import MarketAxis
from stoculus.plot.canvas import compose
from stoculus.plot.chains import ChainSeries
from stoculus.plot.stocks import MOST_CANDLES, StockSeries
from stoculus.records.catalog import Asset, parse_schema
from tests.unit.stoculus.plot.made import FRIDAY, MINUTE_US, MONDAY, axis, chain, opens_us, records

STRIKES = [4600.0 + 10 * n for n in range(21)]


def series(
    name: str, *batches: pa.RecordBatch, asset: Asset = "stock", on: MarketAxis | None = None
) -> StockSeries | ChainSeries:
    schema = parse_schema(name, asset=asset)
    made = (ChainSeries if asset == "option" else StockSeries)(schema, on or axis())
    for batch in batches:
        made.add(batch)
    return made


def drawn(made: StockSeries | ChainSeries) -> list[Axes]:
    return compose(made.panels()).axes


def names(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def bars(count: int) -> pa.RecordBatch:
    prices = [100.0 + n % 7 for n in range(count)]
    highs, lows = [price + 1 for price in prices], [price - 1 for price in prices]
    times = [opens_us() + n * MINUTE_US for n in range(count)]
    return records("StockOhlcv", times, open=prices, high=highs, low=lows, close=prices)


def quotes(count: int = 100, bid: float = 99.99, ask: float = 100.01) -> pa.RecordBatch:
    return records("StockQuote", [opens_us() + n * MINUTE_US for n in range(count)], bid=bid, ask=ask)


def test_few_bars_are_candles() -> None:
    (price,) = drawn(series("ohlcv1m", bars(MOST_CANDLES)))

    candles = [each for each in price.collections if isinstance(each, PolyCollection)]
    assert len(candles[0].get_paths()) == MOST_CANDLES
    assert price.get_ylim()[0] < 99
    assert price.get_ylim()[1] > 107


def test_many_bars_are_a_line_in_their_range() -> None:
    made = series("ohlcv1m", bars(MOST_CANDLES), bars(1))

    assert names(drawn(made)[0]) == ["low to high", "close"]
    assert made.span == (99.0, 107.0)


def test_a_bar_without_prices_is_not_drawn() -> None:
    made = series("ohlcv1m", bars(2), records("StockOhlcv", [opens_us() + 9 * MINUTE_US], volume=5))

    assert made.span == (99.0, 102.0)
    assert drawn(made)


def test_a_daily_report_stands_in_its_day() -> None:
    report = records("StockEod", [to_utc_us(MONDAY, time(17, 15))], open=10.0, high=12.0, low=9.0, close=11.0)

    (price,) = drawn(series("eod", report))

    (body,) = [each for each in price.collections if isinstance(each, PolyCollection)]
    box = body.get_paths()[0].get_extents()
    assert 0 < box.x0 < box.x1 < axis().starts[1]


def test_quotes_are_a_band_and_a_spread_in_basis_points() -> None:
    made = series("quote", quotes())

    price, spread = drawn(made)

    assert made.mean_spread_bps == pytest.approx(2.0)
    assert names(price) == ["bid to ask", "middle"]
    assert spread.get_ylabel() == "bp"
    assert spread.get_ylim()[0] == 0


def test_a_quote_of_one_side_has_no_spread() -> None:
    made = series("quote", quotes(1, bid=0.0), quotes(1))

    assert made.mean_spread_bps == pytest.approx(2.0)
    assert made.span == (99.99, 100.01)


def test_trades_with_quotes_are_one_picture() -> None:
    batch = records("StockTradeQuote", [opens_us(), opens_us() + MINUTE_US], price=100.0, bid=99.9, ask=100.1)

    price, _ = drawn(series("tradequote", batch))

    assert names(price) == ["bid to ask", "lowest to highest trade", "trade"]


@pytest.mark.parametrize(("asset", "name"), [("stock", "quote"), ("option", "quote"), ("option", "trade")])
def test_nothing_is_drawn_as_nothing(asset: Asset, name: str) -> None:
    (nothing,) = drawn(series(name, asset=asset))

    assert any(text.get_text() in ("no prices", "no records") for text in nothing.texts)


def test_a_quoted_chain_is_its_forward_its_straddle_and_its_strikes_at_noon() -> None:
    times = [opens_us(FRIDAY) + n * MINUTE_US for n in range(390)]
    made = series(
        "quote1m",
        chain(times[:200], STRIKES, 4700.0),
        chain(times[200:], STRIKES, 4720.0),
        asset="option",
        on=axis(FRIDAY),
    )

    forward, straddle, spread, contracts, strikes = drawn(made)

    assert made.span == pytest.approx((4700, 4720))
    assert names(forward) == ["forward by put-call parity, nearest expiration"]
    assert straddle.get_ylabel() == "USD"
    assert spread.get_ylabel() == "%"
    assert names(contracts) == ["contracts with a record"]
    assert made.contracts == 42
    assert names(strikes) == ["2024-01-12"]
    assert "2024-01-12 at 12:4" in strikes.texts[2].get_text()


def test_volatilities_are_a_smile() -> None:
    batch = chain([opens_us()], STRIKES, 4700.0)
    names_of = [field.name for field in parse_schema("iv1m", asset="option").record.arrow]
    given = {name: batch[name].to_pylist() for name in batch.schema.names if name in names_of and name != "ts_event"}
    volatilities = records("OptionImpliedVolatility", [opens_us()] * batch.num_rows, **given | {"implied_vol": 0.2})

    smile = drawn(series("iv1m", volatilities, asset="option"))[-1]

    assert smile.get_ylabel() == "implied volatility, %"
    assert smile.lines[0].get_ydata() == pytest.approx(np.full(21, 20.0))


def test_four_contracts_are_drawn_one_by_one() -> None:
    (lines,) = drawn(
        series("quote1m", chain([opens_us(), opens_us() + MINUTE_US], [4700.0, 4710.0], 4700.0), asset="option")
    )

    assert names(lines) == [f"{FRIDAY}{right}{strike}" for strike in (4700.0, 4710.0) for right in ("CALL", "PUT")]


def contracts(name: str, days: list[date], amounts: list[int], column: str) -> pa.RecordBatch:
    """A call and a put of three strikes on each day."""
    rows = [(day, strike, right) for day in days for strike in (10.0, 11.0, 12.0) for right in ("CALL", "PUT")]
    return records(
        name,
        [opens_us(day) for day, *_ in rows],
        symbol=[f"{strike}{right}" for _, strike, right in rows],
        expiration=FRIDAY,
        strike=[strike for _, strike, _ in rows],
        right=[right for *_, right in rows],
        **{column: amounts},
    )


def heights(axes: Axes) -> list[float]:
    return [patch.get_height() for patch in axes.patches]  # type: ignore[attr-defined]


def test_trades_of_a_chain_are_summed_up_by_strike() -> None:
    batch = contracts("OptionTrade", [MONDAY, FRIDAY], [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60], "size")

    records_a_minute, with_record, strikes = drawn(series("trade", batch, asset="option"))

    assert names(records_a_minute) == ["records a minute"]
    assert names(with_record) == ["contracts with a record"]
    assert heights(strikes) == [11, 33, 55, -22, -44, -66]


def test_open_interest_is_that_of_the_last_day() -> None:
    batch = contracts(
        "OptionOpenInterest", [MONDAY, FRIDAY], [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60], "open_interest"
    )

    (strikes,) = drawn(series("openinterest", batch, asset="option"))

    assert heights(strikes) == [10, 30, 50, -20, -40, -60]


def test_a_figure_is_made_without_pyplot() -> None:
    assert isinstance(compose(series("quote", quotes()).panels(), "A title", "and more", ["a note"]), Figure)
