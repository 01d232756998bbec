"""What the shell completes by asking: the backtests, streams and topics that there are.

Whoever presses Tab waits for the answer: who does not answer within a moment is passed over without a word.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stoculus.cli.client import Kind

_PATIENCE_S: Final = 1.0
_MOST: Final = "200"


def backtest_ids(incomplete: str) -> list[tuple[str, str]]:
    """The newest backtests, each with its state."""
    return _known("backtest", incomplete)


def stream_ids(incomplete: str) -> list[tuple[str, str]]:
    """The streams, each with its state."""
    return _known("stream", incomplete)


def key_ids(incomplete: str) -> list[tuple[str, str]]:
    """The API keys, each with its state."""
    return _known("key", incomplete)


def topics(incomplete: str) -> list[str]:
    """The topics of backtests and streams."""
    from confluent_kafka import KafkaException

    from stoculus.cli.connections import settings
    from stoculus.errors import StoculusError
    from stoculus.kafka.admin import connect

    try:
        names = connect(settings().kafka).list_topics(timeout=_PATIENCE_S).topics
    except (KafkaException, StoculusError):
        return []
    return sorted(name for name in names if name.startswith(("stock-", "option-")) and name.startswith(incomplete))


def _known(kind: "Kind", incomplete: str) -> list[tuple[str, str]]:
    from stoculus.cli.client import connect
    from stoculus.errors import StoculusError

    params = {"limit": _MOST} if kind == "backtest" else None
    try:
        answer = replace(connect(kind), timeout_s=_PATIENCE_S).ask("GET", "", params=params)
        listed = [(one[f"{kind}_id"], one["state"]) for one in answer[f"{kind}s"]]
    except (StoculusError, KeyError, TypeError):
        return []
    return [(identity, state) for identity, state in listed if identity.startswith(incomplete)]
