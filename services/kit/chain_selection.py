"""Checks a selection of a chain against the vendor's lists."""

from datetime import date, timedelta
from typing import Final

from services.kit.chains import Chains
from stoculus.errors import InvalidRequest
from stoculus.instruments import OptionContract
from stoculus.selection import ChainSelection, DaysToExpiration, StrikeRange

_MOST_CHECKED: Final = 20
"""Expirations whose strikes are looked up to check a request."""


def check_selection(selection: ChainSelection, root: str, first: date, last: date | None, chains: Chains) -> None:
    """Raise InvalidRequest for expirations and strikes that the vendor does not list, and where all are over.

    It is about the days from `first` to `last`; None: there is no last one.
    """
    named = [OptionContract.parse(osi) for osi in selection.contracts or ()]
    expirations = selection.expirations if isinstance(selection.expirations, list) else []
    wanted, field = (
        ([contract.expiration for contract in named], "contracts") if named else (expirations, "expirations")
    )
    chains.check_expirations(root, wanted, field=field)
    if wanted and max(wanted) < first:
        raise InvalidRequest(
            f"All expirations are over before {first}.", remedy="Name later ones, or start earlier.", field=field
        )
    if not wanted and not any(_may_select(selection, one, first, last) for one in chains.expirations(root)):
        days = f"from {first}" + ("" if last is None else f" to {last}")
        raise InvalidRequest(
            f"No expiration of {root} is selected {days}.", remedy="Widen the range of expirations.", field=field
        )
    checked = sorted({contract.expiration for contract in named})[-_MOST_CHECKED:]
    for n, contract in enumerate(named):
        if contract.expiration in checked:
            _check_strike(contract.strike, root, [contract.expiration], chains, f"contracts[{n}]")
    if 0 < len(expirations) <= _MOST_CHECKED:
        if isinstance(selection.strikes, StrikeRange):
            chains.check_strikes(root, expirations, selection.strikes, field="strikes")
        for n, strike in enumerate(selection.strikes if isinstance(selection.strikes, list) else ()):
            _check_strike(strike, root, expirations, chains, f"strikes[{n}]")


def _check_strike(strike: float, root: str, expirations: list[date], chains: Chains, field: str) -> None:
    chains.check_strikes(root, expirations, StrikeRange(min=strike, max=strike), field=field)


def _may_select(selection: ChainSelection, expiration: date, first: date, last: date | None) -> bool:
    """Whether an expiration may be wanted on any of the days."""
    if isinstance(selection.expirations, DaysToExpiration):
        dte = selection.expirations.dte
        is_near = last is None or expiration <= last + timedelta(days=dte.max)
        return first + timedelta(days=dte.min) <= expiration and is_near
    return expiration >= first and selection.has_expiration(expiration, first)
