"""Topic names: built, never parsed."""

import re
from typing import Final

from stoculus.errors import InvalidRequest
from stoculus.instruments import Stock

CHECKPOINTS: Final = "stoculus.checkpoints"
BACKTESTS: Final = "stoculus.backtests"
WATERMARKS: Final = "stoculus.watermarks"
STREAM_EVENTS: Final = "stoculus.stream-events"

_BACKTEST_ID = re.compile(r"[a-z0-9_-]{1,64}")


def backtest_id(value: str | int, *, field: str = "backtest_id") -> str:
    """The id as topics carry it; raise InvalidRequest where Kafka could not hold it apart from others."""
    text = str(value)
    if not _BACKTEST_ID.fullmatch(text) or text.endswith("quarantine"):
        raise InvalidRequest(
            f"{text[:80]!r} is not a {field.replace('_', ' ')}.",
            remedy="Use 1 to 64 of a-z, 0-9, _ and -, not ending in 'quarantine'.",
            field=field,
        )
    return text


def stock_historical(stock: Stock, schema: str, backtest: str) -> str:
    """The topic of one task of a backtest: `stock-aapl-ohlcv1m-historical-42`. It is the task's id too."""
    return f"stock-{stock.ticker.lower()}-{schema}-historical-{backtest}"


def option_historical(root: str, schema: str, backtest: str) -> str:
    """The topic of one option task of a backtest: `option-spxw-quote1m-historical-42`. It is the task's id too."""
    return f"option-{root.lower()}-{schema}-historical-{backtest}"


def stock_live(stock: Stock, schema: str) -> str:
    """The topic of a stock's live records: `stock-aapl-trade-live`."""
    return f"stock-{stock.ticker.lower()}-{schema}-live"


def option_live(root: str, schema: str) -> str:
    """The topic of a root's live option records: `option-spxw-quote-live`."""
    return f"option-{root.lower()}-{schema}-live"


def stock_replay(stock: Stock, schema: str, replay_id: str) -> str:
    """The topic of a stock's history that is played again: `stock-aapl-quote-replay-42`."""
    return f"stock-{stock.ticker.lower()}-{schema}-replay-{replay_id}"


def option_replay(root: str, schema: str, replay_id: str) -> str:
    """The topic of a root's option history that is played again: `option-spxw-quote-replay-42`."""
    return f"option-{root.lower()}-{schema}-replay-{replay_id}"


def quarantine(topic: str) -> str:
    """Where the malformed rows of `topic` go."""
    return f"{topic}.quarantine"
