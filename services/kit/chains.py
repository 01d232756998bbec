"""What the vendor lists of option chains, asked for when it is needed and kept for an hour."""

import copy
import threading
from collections.abc import Callable, Hashable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, cast

from services.kit.names import NameList
from stoculus.errors import InvalidRequest, NoData
from stoculus.instruments import OptionContract
from stoculus.selection import StrikeRange
from theta_client.client import ThetaClient

Value = TypeVar("Value")

FRESH_FOR: Final = timedelta(hours=1)
_MOST_KEPT: Final = 256


class Chains:
    """The vendor's lists of options. Thread-safe; every method may raise the vendor errors.

    Somebody waits for the answer: where the terminal is away or busy it fails within seconds, but not in `for_task`.
    """

    def __init__(self, client: ThetaClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._roots = NameList("option root", client.option_roots, now)
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[datetime, Any]] = {}
        self._aborted: threading.Event | None = None

    def for_task(self, aborted: threading.Event) -> "Chains":
        """The same lists for a task, which is as patient with the vendor as with history."""
        patient = copy.copy(self)
        patient._aborted = aborted
        return patient

    @property
    def lists_contracts(self) -> bool:
        """Whether the account's tier may see which contracts a day had (rest.md 5: VALUE)."""
        return self._client.tier != "free"

    def vendor_root(self, root: str, *, field: str) -> str:
        """The root as the vendor spells it; raise InvalidRequest, with the nearest ones, where it has none."""
        return self._roots.vendor_name(root, field=field)

    def expirations(self, root: str) -> list[date]:
        """All expirations of a root, ascending."""
        return self._keep(
            ("expirations", root), lambda: self._client.option_expirations(self._vendor(root), self._aborted)
        )

    def strikes(self, root: str, expiration: date) -> list[int]:
        """All strikes of an expiration in thousandths of a dollar, ascending; none where the vendor has none."""
        vendor_root = self._vendor(root)
        ask = partial(_or_none, lambda: self._client.option_strikes(vendor_root, expiration, self._aborted))
        return self._keep(("strikes", root, expiration), ask)

    def contracts(self, root: str, day: date) -> list[OptionContract]:
        """The contracts that were quoted or traded on a day, in order; none where there were none."""
        vendor_root = self._vendor(root)

        def ask() -> list[OptionContract]:
            quoted = _or_none(lambda: self._client.option_contracts("quote", vendor_root, day, aborted=self._aborted))
            traded = _or_none(lambda: self._client.option_contracts("trade", vendor_root, day, aborted=self._aborted))
            return sorted({*quoted, *traded})

        return self._keep(("contracts", root, day), ask)

    def first_day(self, root: str, expiration: date) -> date | None:
        """The first day on which the vendor has quotes or trades of an expiration; None where it has neither."""
        vendor_root = self._vendor(root)

        def ask() -> list[date]:
            days = [
                *_or_none(lambda: self._client.option_dates("quote", vendor_root, expiration, self._aborted)),
                *_or_none(lambda: self._client.option_dates("trade", vendor_root, expiration, self._aborted)),
            ]
            return [min(days)] if days else []

        return next(iter(self._keep(("first day", root, expiration), ask)), None)

    def check_expirations(self, root: str, wanted: list[date], *, field: str) -> None:
        """Raise InvalidRequest for an expiration that the root has not, with the nearest ones."""
        known = self.expirations(root)
        for n, expiration in enumerate(wanted):
            if expiration in known:
                continue
            near = sorted(known, key=lambda other: abs((other - expiration).days))[:2]
            near_by = " and ".join(str(day) for day in sorted(near))
            remedy = f"The nearest are {near_by}." if near else "The vendor lists no expiration of it."
            if sister := self._sister_with(root, expiration):
                remedy = f"{sister} has one on that day. {remedy}"
            raise InvalidRequest(f"{root} has no expiration on {expiration}.", remedy=remedy, field=f"{field}[{n}]")

    def check_strikes(self, root: str, expirations: list[date], wanted: StrikeRange, *, field: str) -> None:
        """Raise InvalidRequest where none of the expirations has a strike of the range, with the nearest ones."""
        known = sorted({strike for expiration in expirations for strike in self.strikes(root, expiration)})
        if known and not any(wanted.min * 1000 <= strike <= wanted.max * 1000 for strike in known):
            near = sorted(sorted(known, key=lambda strike: abs(strike - wanted.min * 1000))[:2])
            missing = f"{wanted.min:g}" if wanted.min == wanted.max else f"from {wanted.min:g} to {wanted.max:g}"
            raise InvalidRequest(
                f"{root} has no strike {missing} on these expirations.",
                remedy=f"The nearest are {' and '.join(f'{strike / 1000:g}' for strike in near)}.",
                field=field,
            )

    def _sister_with(self, root: str, expiration: date) -> str | None:
        """SPX and SPXW, RUT and RUTW: the root of the same index that has the expiration."""
        for sister in (f"{root}W", f"{root}P", root[:-1]):
            try:
                if sister != root and expiration in self.expirations(sister):
                    return sister
            except (InvalidRequest, NoData):
                continue
        return None

    def _vendor(self, root: str) -> str:
        return self.vendor_root(root, field="root")

    def _keep(self, key: Hashable, ask: Callable[[], list[Value]]) -> list[Value]:
        now = self._now()
        with self._lock:
            until, values = self._kept.get(key, (now, None))
        if until > now:
            return cast(list[Value], values)
        asked = ask()
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (now + FRESH_FOR, asked)
            if len(self._kept) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return asked


def _or_none(ask: Callable[[], list[Value]]) -> list[Value]:
    try:
        return ask()
    except NoData:
        return []
