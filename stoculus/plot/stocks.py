"""The records of one stock's topic as panels: price, and the spread where there are quotes."""

from typing import Final

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from stoculus.plot.axis import Floats, MarketAxis
from stoculus.plot.buckets import Buckets, places
from stoculus.plot.canvas import BLUE, GREEN, INK, PURPLE, RED, Panel, band, empty, legend, line
from stoculus.reading.feed import times_us
from stoculus.records.catalog import INTERVAL_US, Schema

MOST_CANDLES: Final = 240
_CANDLE_SHARE: Final = 0.7
_BPS: Final = 10_000
_PRICE_IN, _SPREAD_IN = 2.9, 1.1


class StockSeries:
    """Takes the batches of a topic and holds what a picture shows of them, however many they are."""

    def __init__(self, schema: Schema, axis: MarketAxis) -> None:
        self._schema = schema
        self._axis = axis
        self._price, self._low, self._high = Buckets(), Buckets(), Buckets()
        self._bid, self._ask, self._middle, self._spread = Buckets(), Buckets(), Buckets(), Buckets()
        self._candles: list[Floats] | None = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take records in; prices of zero are none."""
        positions = self._axis.positions(times_us(batch))
        where = places(self._axis, positions)
        if self._has_bars:
            prices = [_prices(batch, name) for name in ("open", "high", "low", "close")]
            for buckets, values in zip((self._high, self._low, self._price), prices[1:], strict=True):
                buckets.add(where, values)
            self._keep(np.column_stack([positions, *prices]))
            return
        if "price" in batch.schema.names:
            self._price.add(where, _prices(batch, "price"))
        if "bid" in batch.schema.names:
            bid, ask = _prices(batch, "bid"), _prices(batch, "ask")
            middle = (bid + ask) / 2
            self._bid.add(where, bid)
            self._ask.add(where, ask)
            self._middle.add(where, middle)
            self._spread.add(where, (ask - bid) / middle * _BPS)

    @property
    def span(self) -> tuple[float, float] | None:
        """The lowest and the highest price that is drawn, USD."""
        drawn = (self._low, self._high) if self._has_bars else (self._price, self._bid, self._ask)
        spans = [span for span in (buckets.span for buckets in drawn) if span]
        return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None

    @property
    def mean_spread_bps(self) -> float | None:
        return self._spread.mean

    @property
    def contracts(self) -> None:
        return None

    def panels(self) -> list[Panel]:
        """The panels of the topic."""
        if self.span is None:
            return [Panel(empty("no prices"), _SPREAD_IN, self._axis)]
        panels = [Panel(self._draw_price, _PRICE_IN, self._axis)]
        if self._spread.count.any():
            panels.append(Panel(self._draw_spread, _SPREAD_IN, self._axis))
        return panels

    @property
    def _has_bars(self) -> bool:
        return self._schema.kind in ("ohlcv", "eod")

    def _keep(self, candles: Floats) -> None:
        """Single bars are drawn while they are few."""
        if self._candles is None:
            return
        self._candles.append(candles)
        if sum(map(len, self._candles)) > MOST_CANDLES:
            self._candles = None

    def _draw_price(self, axes: Axes) -> None:
        axes.set_ylabel("USD")
        if self._candles:
            interval, day = self._schema.interval, self._axis.length / len(self._axis.days)
            # A bar begins at its time; a report of a day stands at the day's end.
            spans = (0.0, INTERVAL_US[interval] / 1_000_000) if interval else (-day, 0.0)
            _draw_candles(axes, np.concatenate(self._candles), spans)
        elif self._has_bars:
            band(axes, self._axis, self._low, self._high, BLUE, "low to high")
            line(axes, self._axis, self._price, BLUE, "close")
            legend(axes)
        else:
            self._draw_ticks(axes)
            legend(axes)

    def _draw_ticks(self, axes: Axes) -> None:
        has_trades = bool(self._price.count.any())
        if self._bid.count.any():
            band(axes, self._axis, self._bid, self._ask, INK, "bid to ask")
            if not has_trades:
                line(axes, self._axis, self._middle, INK, "middle")
        if has_trades:
            band(axes, self._axis, self._price, self._price, BLUE, "lowest to highest trade")
            line(axes, self._axis, self._price, BLUE, "trade")

    def _draw_spread(self, axes: Axes) -> None:
        axes.set_ylabel("bp")
        band(axes, self._axis, self._spread, self._spread, PURPLE, "least to greatest", alpha=0.15)
        line(axes, self._axis, self._spread, PURPLE, "spread, mean, basis points", mean=True)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        legend(axes)


def _prices(batch: pa.RecordBatch, column: str) -> Floats:
    values: Floats = batch[column].to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(values > 0, values, np.nan)


def _draw_candles(axes: Axes, candles: Floats, span: tuple[float, float]) -> None:
    """Candles of position, open, high, low, close; each covers a span around its position."""
    at, opens, highs, lows, closes = candles[~np.isnan(candles).any(axis=1)].T
    middle, half = at + (span[0] + span[1]) / 2, (span[1] - span[0]) * _CANDLE_SHARE / 2
    colors = [GREEN if close >= open_ else RED for open_, close in zip(opens, closes, strict=True)]
    wicks = np.stack([np.column_stack([middle, lows]), np.column_stack([middle, highs])], axis=1)
    axes.add_collection(LineCollection(list(wicks), colors=colors, linewidths=0.9))
    bottom, top = np.minimum(opens, closes), np.maximum(opens, closes)
    corners = np.stack(
        [
            np.column_stack([middle + side * half, edge])
            for side, edge in ((-1, bottom), (-1, top), (1, top), (1, bottom))
        ],
        axis=1,
    )
    axes.add_collection(PolyCollection(list(corners), facecolors=colors, edgecolors=colors, linewidths=0.6))
    axes.set_ylim(*_padded(float(lows.min()), float(highs.max())))


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = (high - low) * 0.06 or high * 0.001
    return low - pad, high + pad
