"""Stoculus: market data on Kafka topics, typed, in order, once each.

`read`, `merge` and `subscribe` give what is on topics (and in exported files) to Python; see `stoculus.reading.api`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stoculus.reading.api import merge, read, subscribe, topic_of

__all__ = ["merge", "read", "subscribe", "topic_of"]


def __getattr__(name: str) -> Any:
    # Programs of the suite import settings and topic names alone: they need not wait for Arrow and Kafka.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stoculus.reading import api

    return getattr(api, name)
