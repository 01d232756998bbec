"""Checks a stream before it starts, and says what it subscribes on a day."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from typing import Final

from services.kit.chain_selection import check_selection
from services.kit.chains import Chains
from services.kit.names import NameList
from services.kit.planning import require_vendor
from services.live_stream.topic import LiveTopic
from stoculus.calendar import is_trading_day, nearest_trading_days, new_york_day
from stoculus.errors import InvalidRequest, StoculusError, TierTooLow
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import Asset
from stoculus.selection import AroundSpot
from stoculus.streams import OptionFeed, StockFeed, StreamPlan, StreamSpec
from theta_client.client import ThetaClient, TicksKind, Tier
from theta_client.stream.subscription import Subscription

Feed = StockFeed | OptionFeed
_Sort = tuple[Asset, TicksKind]

_MOST: Final[dict[_Sort, dict[Tier, int | None]]] = {
    ("stock", "quote"): {Tier.STANDARD: 1_000, Tier.PRO: 2_000},
    ("stock", "trade"): {Tier.STANDARD: 1_000, Tier.PRO: 20_000},
    ("option", "quote"): {Tier.STANDARD: 10_000, Tier.PRO: 15_000},
    ("option", "trade"): {Tier.STANDARD: 15_000, Tier.PRO: None},
}
"""Instruments that an account may stream at once (stream.md 5.1); None: no limit. Lower tiers stream nothing."""


class LivePlanner:
    """Knows what streams are made of. Thread-safe; `now` is the wall clock."""

    def __init__(self, client: ThetaClient, symbols: NameList, chains: Chains, now: Callable[[], datetime]) -> None:
        self._client = client
        self._symbols = symbols
        self._chains = chains
        self._now = now

    def plan(self, spec: StreamSpec, in_use: Collection[Subscription], day: date | None = None) -> StreamPlan:
        """What a stream subscribes on a New York day; None: today, or the next trading day.

        `in_use`: the subscriptions of the other streams. Raise InvalidRequest or TierTooLow, with field `feeds[i].…`,
        or a vendor error.
        """
        require_vendor(self._client)
        day = day or self._next_day()
        wanted: dict[Subscription, int] = {}
        notes: list[str] = []
        for i, feed in enumerate(spec.feeds):
            try:
                self._check(feed, day)
                found = self._subscriptions(feed, day, self._chains)
            except StoculusError as error:
                if error.field is not None:
                    error.field = f"feeds[{i}].{error.field}"
                raise
            for one in found:
                wanted.setdefault(one, i)
            notes += _notes(feed, found, day)
        self._check_room(spec, wanted, in_use)
        return StreamPlan(
            subscriptions=len(wanted), in_use=len(in_use), notes=[*notes, *self._room_notes({*wanted, *in_use})]
        )

    def subscriptions(self, feed: Feed, day: date, aborted: threading.Event) -> list[Subscription]:
        """What a feed is made of on a New York day, in the order of a chain. Raise the vendor errors, and Cancelled.

        Bars are made of trades. Expired contracts are left out.
        """
        return self._subscriptions(feed, day, self._chains.for_task(aborted))

    def _subscriptions(self, feed: Feed, day: date, chains: Chains) -> list[Subscription]:
        ticks = LiveTopic.of(feed).ticks
        if isinstance(feed, StockFeed):
            return [Subscription(ticks, Stock(feed.symbol))]
        return [Subscription(ticks, contract) for contract in self._contracts(feed, day, chains)]

    def _contracts(self, feed: OptionFeed, day: date, chains: Chains) -> list[OptionContract]:
        if feed.contracts is not None:
            return [contract for contract in feed.named if contract.expiration >= day]
        root, today = feed.symbol, new_york_day(self._now())
        # The list of a day that runs lacks what nobody has quoted yet.
        days = [day] if day < today else [*filter(None, nearest_trading_days(day)[:1]), day]
        listed = {one for each in days for one in chains.contracts(root, each)} if chains.lists_contracts else set()
        found = {one for one in listed if one.expiration >= day and feed.has(one, day)}
        if day >= today or not listed:
            found |= self._unlisted(feed, day, {one.expiration for one in listed}, chains)
        return sorted(found)

    def _unlisted(self, feed: OptionFeed, day: date, listed: Collection[date], chains: Chains) -> set[OptionContract]:
        """All that could be quoted of the wanted expirations of which nothing has been."""
        root = feed.symbol
        return {
            OptionContract(root, expiration, strike, right)
            for expiration in chains.expirations(root)
            if expiration >= day and expiration not in listed and feed.has_expiration(expiration, day)
            for strike in chains.strikes(root, expiration)
            if feed.has_strike(strike)
            for right in feed.rights
        }

    def _check(self, feed: Feed, day: date) -> None:
        """Raise where the account or the vendor has nothing of the kind."""
        own = self._client.tier
        if own not in _MOST[_sort_of(feed)]:
            raise TierTooLow(
                f"Live data need the vendor's tier {Tier.STANDARD.name}; this account has {own.name}, which streams "
                "nothing.",
                remedy="Ask for a backtest, or set STOCULUS_THETA_TIER if the account has more.",
                field="schema",
            )
        if isinstance(feed, StockFeed):
            self._symbols.vendor_name(feed.symbol, field="ticker")
            return
        if isinstance(feed.strikes, AroundSpot):
            raise InvalidRequest(
                "The strikes around the spot move while a stream runs.",
                remedy="Live chains take strikes by list, by range, or all.",
                field="strikes",
            )
        self._chains.vendor_root(feed.symbol, field="root")
        check_selection(feed, feed.symbol, day, None, self._chains)

    def _check_room(self, spec: StreamSpec, wanted: dict[Subscription, int], in_use: Collection[Subscription]) -> None:
        """Raise where the account may not stream so many at once; `wanted` says which feed asks first."""
        own, others = self._client.tier, set(in_use)
        used = _counted(others)
        together = _counted(others | wanted.keys())
        for sort, most in _MOST.items():
            limit = most.get(own, 0)
            new = together[sort] - used[sort]
            if limit is None or not new or together[sort] <= limit:
                continue
            free = max(limit - used[sort], 0)
            feeds = [i for one, i in wanted.items() if one not in others and _sort_of(spec.feeds[i]) == sort]
            enough = _first_tier(sort, together[sort])
            error = InvalidRequest if enough is None else TierTooLow
            raise error(
                f"{together[sort]:,} {sort[0]} {sort[1]}s at once are too many: this stream wants {new:,} more, "
                f"{used[sort]:,} are in use, and the vendor's tier {own.name} streams {limit:,}.",
                remedy=f"Ask for {free:,} at the most, or stop other streams"
                + (f"; tier {enough.name} streams more." if enough else "."),
                field=f"feeds[{feeds[free]}].{'ticker' if sort[0] == 'stock' else 'root'}",
            )

    def _room_notes(self, subscriptions: Iterable[Subscription]) -> list[str]:
        own = self._client.tier
        return [
            f"{count:,} of {most:,} {sort[0]} {sort[1]}s that the account may stream at once."
            for sort, count in sorted(_counted(subscriptions).items())
            if (most := _MOST[sort].get(own, 0)) is not None
        ]

    def _next_day(self) -> date:
        today = new_york_day(self._now())
        return today if is_trading_day(today) else nearest_trading_days(today)[1] or today


def _sort_of(feed: Feed) -> _Sort:
    return feed.asset, LiveTopic.of(feed).ticks


def _counted(subscriptions: Iterable[Subscription]) -> Counter[_Sort]:
    counts: Counter[_Sort] = Counter()
    for one in subscriptions:
        if one.kind != "market_value" and isinstance(one.what, Stock | OptionContract):
            counts["stock" if isinstance(one.what, Stock) else "option", one.kind] += 1
    return counts


def _first_tier(sort: _Sort, count: int) -> Tier | None:
    """The least tier that streams so many; None where none does."""
    return next((tier for tier, most in _MOST[sort].items() if most is None or most >= count), None)


def _notes(feed: Feed, found: Collection[Subscription], day: date) -> list[str]:
    if isinstance(feed, StockFeed):
        return []
    if not found:
        return [f"{feed.topic}: no contract on {day}; the chain is looked up anew each day."]
    if feed.contracts is None:
        return [f"{feed.topic}: {len(found):,} contracts on {day}; the chain is looked up anew each day."]
    expired = len(feed.named) - len(found)
    return (
        [f"{feed.topic}: {expired:,} of {len(feed.named):,} contracts have expired and are left out."]
        if expired
        else []
    )
