"""What `import stoculus` offers to those who read: `read`, `merge`, `subscribe`."""

import os
from collections.abc import Sequence

from stoculus.errors import InvalidRequest
from stoculus.reading.feed import topic_of
from stoculus.reading.group import Subscription
from stoculus.reading.merge import Merge
from stoculus.reading.read import Reading
from stoculus.reading.source import Request
from stoculus.reading.times import MarketTime
from stoculus.settings import ClientSettings, Connections

__all__ = ["merge", "read", "subscribe", "topic_of"]


def read(
    source: str | int,
    *,
    topics: Sequence[str] | None = None,
    start: MarketTime | None = None,
    end: MarketTime | None = None,
    every: str | None = None,
    partial: bool = False,
    settings: Connections | None = None,
) -> Reading:
    """The records of a backtest (`"42"`, `"kafka:backtest/42"`) or of an export (`"file:exports/42"`), topic by topic.

    `start` is included, `end` excluded, both by `ts_event`; ISO text, a day or a moment, without a zone New York's; a
    day as end is included. `every`: a batch for each `1m`, `1h`, `1d`, … that has records. A backtest that runs is read
    to its end; one that will not come to its end raises BacktestIncomplete, unless `partial`: then what is committed
    now is read. A URL's query may say the same: `"file:exports/42?every=1h"`. `settings`: where broker and registry
    are; by default what `STOCULUS_KAFKA_BOOTSTRAP` and `STOCULUS_REGISTRY_URL` say.
    Raise NotFound, BacktestIncomplete, InvalidRequest, BrokerUnavailable, SettingsInvalid.
    """
    request = Request.of(source, topics=topics, start=start, end=end, every=every, partial=partial)
    return Reading(request, settings or ClientSettings.load(os.environ))


def merge(
    source: str | int,
    *,
    topics: Sequence[str] | None = None,
    start: MarketTime | None = None,
    end: MarketTime | None = None,
    partial: bool = False,
    settings: Connections | None = None,
) -> Merge:
    """The same records as events of all topics in the order in which a strategy could have known them.

    That is by `available_at`: a bar when it is over, a tick at its own time; ties in the order of `topics`, by default
    that of the backtest's request. A topic that is quiet is not waited for, also while the backtest runs. Arguments and
    errors are those of `read`; the two times are of `ts_event`.
    """
    request = Request.of(source, topics=topics, start=start, end=end, partial=partial)
    if request.every:
        raise InvalidRequest("A merge has no slices.", remedy="Leave `every` out.", field="every")
    return Merge(request, settings or ClientSettings.load(os.environ))


def subscribe(
    topics: Sequence[str],
    *,
    group: str,
    until_end: bool = False,
    limit: int | None = None,
    settings: Connections | None = None,
) -> Subscription:
    """Topics, live or historical, as a member of a consumer group: see `Subscription`."""
    where = settings or ClientSettings.load(os.environ)
    return Subscription(where, topics, group, until_end=until_end, limit=limit)
