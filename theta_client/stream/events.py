"""What a session tells besides data. Each event stands in the queue where it happened between the frames."""

from dataclasses import dataclass

from stoculus.errors import StoculusError
from theta_client.stream.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Event:
    """`connection` counts the session's connections from 1; `at_us` is the receive time, microseconds UTC."""

    connection: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """The WebSocket is open. Nothing is subscribed on it yet."""


@dataclass(frozen=True, slots=True)
class StatusChanged(Event):
    """The terminal's link to its servers: CONNECTED, UNVERIFIED, DISCONNECTED or ERROR. Told at each change."""

    word: str


@dataclass(frozen=True, slots=True)
class MarketState(Event):
    """The vendor's START or STOP of a session."""

    word: str


@dataclass(frozen=True, slots=True)
class Subscribed(Event):
    """The terminal confirmed. It confirms contracts that do not exist, too."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Unsubscribed(Event):
    """The terminal confirmed the end of a subscription."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """`response` is the terminal's word, or NO_ANSWER. A `final` one is not asked again while it stays wanted."""

    subscription: Subscription
    response: str
    final: bool


@dataclass(frozen=True, slots=True)
class Dropped(Event):
    """The buffer was full: `frames` data frames, received from `at_us` to `last_us`, are lost at this place."""

    last_us: int
    frames: int


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """The connection ended, or could not be opened. Stalls are VendorSilent, another client SessionTaken.

    `attempts` counts the losses by this cause since the last healthy time; `exhausted`: they are more than its budget.
    The session tries again for ever, ever more slowly.
    """

    error: StoculusError
    attempts: int
    exhausted: bool
