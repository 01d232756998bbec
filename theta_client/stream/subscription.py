"""What can be subscribed, spelled as requests and read back from an event's contract (Theta streaming pages)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import orjson

from stoculus.errors import InvalidRequest, VendorAnswerMalformed
from stoculus.instruments import OptionContract, Stock

Kind = Literal["quote", "trade", "market_value"]

STOP: Final = b'{"msg_type":"STOP"}'
"""Ends all subscriptions of the terminal. It has no id and no answer."""


@dataclass(frozen=True, slots=True, order=True)
class Index:
    """An index by its root, such as SPX. Its prices are trades of which only `price` means anything."""

    root: str


@dataclass(frozen=True, slots=True)
class EveryTrade:
    """The full trade stream: each trade of the market with the quotes around it (tier Pro)."""

    asset: Literal["stock", "option"]


Instrument = Stock | OptionContract | Index


@dataclass(frozen=True, slots=True)
class Subscription:
    """One kind of event of one instrument, or the trades of a whole market.

    Raise InvalidRequest for what the vendor does not stream: quotes of an index, anything but trades of a market.
    """

    kind: Kind
    what: Instrument | EveryTrade

    def __post_init__(self) -> None:
        if (isinstance(self.what, EveryTrade) and self.kind != "trade") or (
            isinstance(self.what, Index) and self.kind == "quote"
        ):
            raise InvalidRequest(
                f"The vendor does not stream {self.kind} of {self.what}.",
                remedy="A whole market streams trades; an index streams trade and market_value.",
            )

    def request(self, request_id: int, *, add: bool) -> bytes:
        """The message that subscribes (`add`) or unsubscribes: strict JSON, strikes in thousandths of a dollar."""
        security_type, contract = _spelled(self.what)
        message = {
            "msg_type": "STREAM" if contract else "STREAM_BULK",
            "sec_type": security_type,
            "req_type": self.kind.upper(),
            "add": add,
            "id": request_id,
        }
        return orjson.dumps(message | ({"contract": contract} if contract else {}))


def _spelled(what: Instrument | EveryTrade) -> tuple[str, dict[str, Any]]:
    match what:
        case EveryTrade(asset):
            return asset.upper(), {}
        case Stock(root):
            return "STOCK", {"root": root}
        case Index(root):
            return "INDEX", {"root": root}
        case OptionContract(root, expiration, strike_thousandths, right):
            day = expiration.year * 10_000 + expiration.month * 100 + expiration.day
            letter = "C" if right == "call" else "P"
            return "OPTION", {"root": root, "expiration": day, "strike": strike_thousandths, "right": letter}


def instrument_of(contract: Mapping[str, Any]) -> Instrument:
    """The instrument of an event's `contract`. Raise VendorAnswerMalformed where it names none."""
    try:
        security_type, root = contract["security_type"], contract["root"]
        if isinstance(root, str) and root:
            if security_type == "STOCK":
                return Stock.parse(root)
            if security_type == "INDEX":
                return Index(root)
            if security_type == "OPTION":
                return _option(root, contract)
    except (KeyError, TypeError, ValueError, InvalidRequest) as error:
        raise VendorAnswerMalformed(f"{contract} is no contract ({type(error).__name__}: {error}).") from error
    raise VendorAnswerMalformed(f"{contract} is no contract.")


def _option(root: str, contract: Mapping[str, Any]) -> OptionContract:
    day, strike = contract["expiration"], contract["strike"]
    if type(day) is not int or type(strike) is not int or strike < 0 or contract["right"] not in ("C", "P"):
        raise ValueError("expiration, strike or right")
    expiration = date(day // 10_000, day // 100 % 100, day % 100)
    return OptionContract(root, expiration, strike, "call" if contract["right"] == "C" else "put")
