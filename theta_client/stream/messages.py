"""The messages of the stream as the vendor documents them, and their decoders. Unknown keys are no fault."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

Int = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Long = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
DAY_MS: Final = 86_400_000


class Header(Struct, gc=False):
    type: str


class Envelope(Struct, gc=False):
    """What every message has."""

    header: Header


class Contract(Struct, gc=False, frozen=True):
    """An instrument; stocks and indexes have the first two alone."""

    security_type: str
    root: str
    expiration: Int | None = None
    strike: Int | None = None
    right: str | None = None


class Event(Struct, gc=False):
    """When it happened: a New York day (yyyymmdd) and milliseconds of wall time."""

    date: Int
    ms_of_day: Annotated[int, Meta(ge=0, lt=DAY_MS)]


class Quote(Event, gc=False):
    bid_size: Long
    bid_exchange: Int
    bid: float
    bid_condition: Int
    ask_size: Long
    ask_exchange: Int
    ask: float
    ask_condition: Int


class Trade(Event, gc=False):
    sequence: Long
    condition: Int
    size: Long
    exchange: Int
    price: float


class MarketValue(Event, gc=False):
    """Of an index there is only the price."""

    market_bid: float | None = None
    market_ask: float | None = None
    market_price: float | None = None


class Message(Envelope, gc=False):
    """Its header's type tells which body it has."""

    contract: Contract | None = None
    quote: Quote | None = None
    trade: Trade | None = None
    market_value: MarketValue | None = None


decode: Final = msgspec.json.Decoder(Message).decode
decode_contract: Final = msgspec.json.Decoder(Contract).decode
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode
