"""The contracts of a request, day by day (rest.md 4, 6.2)."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import product
from typing import Final
from zlib import crc32

import numpy as np

from simulator.options import OptionSource
from simulator.options.parameters import Chain, OptionHistory
from stoculus.instruments import OptionContract

_OPEN_MS: Final = 34_200_000
_UNITS_PER_THOUSANDTH: Final = 10


def selected(source: OptionSource, request: OptionHistory, last: date) -> Iterator[tuple[OptionContract, list[date]]]:
    """Each contract with the days until `last` on which it may have rows; in no order of strikes, as at the vendor."""
    end = min(request.end, last)
    days = [request.start + timedelta(days=n) for n in range((end - request.start).days + 1)]
    if request.chain.strike_range is None and request.chain.expiration is not None:
        yield from ((contract, days) for contract in _named(source, request.chain, request.chain.expiration))
        return
    by_contract: dict[OptionContract, list[date]] = defaultdict(list)
    for day in days:
        for contract in _of_day(source, request.chain, day):
            by_contract[contract].append(day)
    yield from by_contract.items()


def _named(source: OptionSource, chain: Chain, expiration: date) -> Iterator[OptionContract]:
    """Contracts by the strikes of the expiration: cheaper than by the lists of many days."""
    one = chain.strike_thousandths
    strikes = source.strikes(chain.root, expiration) if one is None else [one]
    for strike, right in product(sorted(strikes, key=_scrambled), chain.rights):
        yield OptionContract(chain.root, expiration, strike, right)


def _scrambled(strike_thousandths: int) -> int:
    """No order, but the same in each process."""
    return crc32(b"%d" % strike_thousandths)


def _of_day(source: OptionSource, chain: Chain, day: date) -> Iterable[OptionContract]:
    listed = [contract for contract in source.contracts(chain.root, day, None) if chain.holds(contract, day)]
    return listed if chain.strike_range is None else _round_spot(source, chain, day, listed)


def _round_spot(
    source: OptionSource, chain: Chain, day: date, listed: Sequence[OptionContract]
) -> Iterator[OptionContract]:
    """Of each expiration n strikes below the underlying's opening price, n above, and the one at it."""
    path = source.underlying(chain.root, day)
    if path is None or not len(path.ms) or chain.strike_range is None:
        return
    opening = min(int(np.searchsorted(path.ms, _OPEN_MS)), len(path.ms) - 1)
    spot = int(path.price[opening]) / _UNITS_PER_THOUSANDTH
    strikes: dict[date, set[int]] = defaultdict(set)
    for contract in listed:
        strikes[contract.expiration].add(contract.strike_thousandths)
    kept = {expiration: _near(sorted(found), spot, chain.strike_range) for expiration, found in strikes.items()}
    yield from (contract for contract in listed if contract.strike_thousandths in kept[contract.expiration])


def _near(strikes: Sequence[int], spot: float, count: int) -> frozenset[int]:
    below, above = bisect_left(strikes, spot), bisect_right(strikes, spot)
    return frozenset(strikes[max(below - count, 0) : above + count])
