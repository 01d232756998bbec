"""What an answer of the terminal means: status codes and texts to the errors of the suite (Theta error-code pages)."""

import re
from enum import StrEnum
from typing import Final

from stoculus.errors import (
    LargeRequest,
    NoData,
    SessionTaken,
    StoculusError,
    TierTooLow,
    VendorBusy,
    VendorDisconnected,
    VendorFault,
    VendorRefused,
    VendorStarting,
)

EVIDENCE_BYTES = 2048


class Tier(StrEnum):
    """A Theta subscription."""

    FREE = "free"
    VALUE = "value"
    STANDARD = "standard"
    PRO = "pro"

    @property
    def concurrency(self) -> int:
        """Requests that the account may have under way."""
        return {Tier.FREE: 1, Tier.VALUE: 2, Tier.STANDARD: 4, Tier.PRO: 8}[self]


SESSION_TAKEN_REMEDY: Final = (
    "Another terminal or library logged in on this account: stop it, then restart the one terminal. "
    "Work goes on by itself then."
)
_BUG = "This is a fault of the client: report it with the detail."
_AGAIN = "Try again later; the terminal's log says more."
_MEANINGS: dict[int, tuple[str, type[StoculusError], str]] = {
    400: ("bad argument", VendorRefused, _BUG),
    403: ("permission", TierTooLow, "Ask for what the subscription covers (data and dates), or upgrade it."),
    404: ("unknown path", VendorRefused, "Check the terminal's version: it must speak v3."),
    406: ("not acceptable", VendorRefused, _BUG),
    410: ("v2 request", VendorRefused, "Check the terminal's version and the client's: both must speak v3."),
    429: ("queue full", VendorBusy, "Other programs use the account: ask for less at once."),
    470: ("general error", VendorFault, _AGAIN),
    471: ("permission", TierTooLow, "Ask for what the subscription covers (data and dates), or upgrade it."),
    472: ("no data", NoData, "Check symbol and dates; closed days and days before the listing have none."),
    473: ("invalid parameters", VendorRefused, _BUG),
    474: ("disconnected", VendorDisconnected, "The terminal lost its servers: check its network."),
    475: ("cannot parse the request", VendorRefused, _BUG),
    476: ("wrong address", VendorRefused, "Let every caller use the same host name; restart the terminal."),
    477: ("no such page", VendorFault, _AGAIN),
    478: ("session taken", SessionTaken, SESSION_TAKEN_REMEDY),
    500: ("server error", VendorFault, _AGAIN),
    503: ("unavailable", VendorDisconnected, _AGAIN),
    570: ("large request", LargeRequest, "Ask for a shorter range."),
    571: ("starting", VendorStarting, "The vendor's server restarts: wait."),
    572: ("uncaught error", VendorFault, _AGAIN),
}


def error_of(status: int, body: bytes, request: str) -> StoculusError:
    """The error that an answer other than 200 means. `request` names endpoint, symbol and days; `body` is its start."""
    text = plain_text(body)
    name, kind, remedy = _MEANINGS.get(status) or _by_class(status)
    if status == 400 and "too many days" in text.lower():
        name, kind, remedy = "too many days", LargeRequest, "Ask for a shorter range."
    message = f"Theta Terminal answered {status} ({name}) to {request}: {text or 'no text'}"
    if kind is TierTooLow:
        own, required = own_tier(text) or "not named", required_tier(text) or "not named"
        message = f"The account's tier ({own}) may not read {request}; needed: {required}. {message}"
    return kind(message, remedy=remedy, detail=body[:EVIDENCE_BYTES].decode("utf-8", "replace"))


def _by_class(status: int) -> tuple[str, type[StoculusError], str]:
    if status >= 500:
        return "server error", VendorFault, _AGAIN
    return "unknown answer", VendorRefused, _BUG


def plain_text(body: bytes) -> str:
    """A body as one short line: tags and line ends taken out."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", body.decode("utf-8", "replace"), flags=re.DOTALL)
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:299] + "…"


def own_tier(text: str) -> Tier | None:
    """The account's tier, where the text of a 403 names it."""
    return _tier(re.search(r"only have an? (\w+) subscription", text, re.IGNORECASE))


def required_tier(text: str) -> Tier | None:
    """The tier that the request needs, where the text of a 403 names it."""
    return _tier(re.search(r"requiring an? (\w+) subscription", text, re.IGNORECASE))


def _tier(found: re.Match[str] | None) -> Tier | None:
    name = found[1].lower() if found else ""
    return Tier.PRO if name == "professional" else Tier(name) if name in set(Tier) else None
