"""A column of numbers as a plot can show it: what it does within each stretch of the width of a pixel."""

from typing import Final

import numpy as np

from stoculus.plot.axis import Floats, MarketAxis
from stoculus.reading.feed import Int64s

COUNT: Final = 1200


class Buckets:
    """First to last, least and greatest, and mean of a number in each of COUNT stretches of the axis.

    It takes any number of values and holds COUNT of each; a spike of one record stays a spike. NaN counts as none.
    """

    def __init__(self) -> None:
        self.last = np.full(COUNT, np.nan)
        self.least = np.full(COUNT, np.nan)
        self.greatest = np.full(COUNT, np.nan)
        self.count = np.zeros(COUNT, np.int64)
        self._total = np.zeros(COUNT)

    def add(self, places: Int64s, values: Floats) -> None:
        """Take values in, each with the number of its bucket, in order of time."""
        known = ~np.isnan(values)
        if not known.all():
            places, values = places[known], values[known]
        self.last[places] = values  # of equal places the last one stays
        np.fmin.at(self.least, places, values)
        np.fmax.at(self.greatest, places, values)
        np.add.at(self.count, places, 1)
        np.add.at(self._total, places, values)

    @property
    def filled(self) -> Int64s:
        """The numbers of those that have a value."""
        return np.flatnonzero(self.count)

    @property
    def means(self) -> Floats:
        """The mean of each; NaN without a value."""
        means: Floats = np.divide(self._total, self.count, out=np.full(COUNT, np.nan), where=self.count > 0)
        return means

    @property
    def mean(self) -> float | None:
        """The mean of all values."""
        count = int(self.count.sum())
        return float(self._total.sum()) / count if count else None

    @property
    def span(self) -> tuple[float, float] | None:
        """The least and the greatest value of all."""
        return (float(np.nanmin(self.least)), float(np.nanmax(self.greatest))) if self.count.any() else None


def places(axis: MarketAxis, positions: Floats) -> Int64s:
    """The bucket of each position."""
    found = (positions * (COUNT / axis.length)).astype(np.int64)
    return np.minimum(found, COUNT - 1)


def middles(axis: MarketAxis, numbers: Int64s) -> Floats:
    """The positions of the middles of buckets."""
    return (numbers.astype(np.float64) + 0.5) * (axis.length / COUNT)
