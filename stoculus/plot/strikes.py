"""A chain by strike: at one moment, or summed up."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Self

import numpy as np
from matplotlib.axes import Axes

from stoculus.plot.axis import Floats
from stoculus.plot.canvas import COLORS, GREEN, INK, QUIET, RED, Panel, legend
from stoculus.plot.chain_state import EPOCH_ORDINAL, AtTheMoney, ChainState
from stoculus.reading.feed import Int64s

_NOT_FOUND: Final = 100  # the vendor's iv_error where no volatility gives the price
_PER_CENT: Final = 100
_SHOWN: Final = 0.99


@dataclass(frozen=True, slots=True)
class Smile:
    """One expiration: strikes with what is quoted out of the money. `volatility` in per cent, or None."""

    expiration: date
    strike: Floats
    bid: Floats
    ask: Floats
    volatility: Floats | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The nearest expirations of a chain at one moment (New York)."""

    at: datetime
    forward: float | None
    smiles: list[Smile]

    @classmethod
    def of(cls, state: ChainState, columns: tuple[str, ...], at: datetime, money: AtTheMoney | None) -> Self | None:
        """What is quoted at the moment; None where nothing is."""
        bid, ask = state.values[:2]
        quoted = (bid > 0) & (ask > 0) & (state.expiration >= at.toordinal() - EPOCH_ORDINAL)
        if "implied_vol" in columns:
            quoted &= (state.values[3] < _NOT_FOUND) & (state.values[2] > 0)
        if money is not None:
            quoted &= state.is_call == (state.strike >= money.forward)
        smiles = []
        for expiration in np.unique(state.expiration[quoted])[: len(COLORS)]:
            chosen = np.flatnonzero(quoted & (state.expiration == expiration))
            chosen = chosen[np.argsort(state.strike[chosen], kind="stable")]
            volatility = state.values[2, chosen] * _PER_CENT if "implied_vol" in columns else None
            day = date.fromordinal(int(expiration) + EPOCH_ORDINAL)
            smiles.append(Smile(day, state.strike[chosen].copy(), bid[chosen].copy(), ask[chosen].copy(), volatility))
        return cls(at, money.forward if money else None, smiles) if smiles else None


@dataclass(slots=True)
class Totals:
    """Contracts by strike, puts and calls: all that were traded, or those open on the last day."""

    of_last_day: bool
    strikes: dict[float, list[float]] = field(default_factory=dict)
    _day: int | None = None

    def add(self, state: ChainState, numbers: Int64s, amounts: Floats, days: Int64s) -> None:
        """Take amounts of contracts in, each with the number of its day, in order of time."""
        if self.of_last_day:
            last = days == days[-1]
            numbers, amounts = numbers[last], amounts[last]
            if self._day != days[-1]:
                self.strikes.clear()
            self._day = int(days[-1])
        sums = np.bincount(numbers, amounts, len(state))
        for number in np.flatnonzero(sums):
            both = self.strikes.setdefault(float(state.strike[number]), [0.0, 0.0])
            both[int(state.is_call[number])] += float(sums[number])


def snapshot_panel(snapshot: Snapshot, height_in: float) -> Panel:
    """The smile of each expiration, or its prices where there are no volatilities."""

    def draw(axes: Axes) -> None:
        has_volatility = snapshot.smiles[0].volatility is not None
        for smile, color in zip(snapshot.smiles, COLORS, strict=False):
            label = f"{smile.expiration}"
            if smile.volatility is not None:
                axes.plot(smile.strike, smile.volatility, ".-", color=color, linewidth=1, markersize=4, label=label)
                continue
            middle = (smile.bid + smile.ask) / 2
            axes.errorbar(
                smile.strike, middle, smile.ask - middle, fmt=".", color=color, markersize=4, linewidth=1.6, label=label
            )
        if snapshot.forward is not None:
            axes.axvline(snapshot.forward, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_ylabel("implied volatility, %" if has_volatility else "bid to ask, USD")
        axes.set_xlabel("strike, USD", fontsize=9, color=INK)
        legend(axes)

    caption = f"Out of the money on {snapshot.at:%Y-%m-%d at %H:%M}, by strike and expiration; dashed: the forward"
    return Panel(draw, height_in, caption=caption)


def totals_panel(totals: Totals, height_in: float) -> Panel:
    """Calls and puts by strike."""

    def draw(axes: Axes) -> None:
        strikes = np.array(sorted(totals.strikes))
        puts, calls = np.array([totals.strikes[strike] for strike in strikes]).T
        width = float(np.diff(strikes).min()) * 0.8 if len(strikes) > 1 else 1.0
        axes.bar(strikes, calls, width, color=GREEN, label="calls")
        axes.bar(strikes, -puts, width, color=RED, label="puts, downwards")
        axes.axhline(0, color=QUIET, linewidth=0.8)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.set_ylabel("contracts")
        axes.set_xlabel("strike, USD", fontsize=9, color=INK)
        share = np.cumsum(puts + calls) / (puts + calls).sum()
        first, last = np.searchsorted(share, ((1 - _SHOWN) / 2, (1 + _SHOWN) / 2))
        axes.set_xlim(strikes[first] - width, strikes[min(last, len(strikes) - 1)] + width)
        legend(axes)

    what = "Open interest on the last day" if totals.of_last_day else "Contracts traded"
    return Panel(draw, height_in, caption=f"{what}, by strike ({_SHOWN:.0%} of it)")
