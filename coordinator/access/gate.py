"""Who is let in: it is decided before a request's body is read."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from coordinator.access.keys import Keys
from coordinator.access.limits import RateLimit
from coordinator.access.scopes import WITHOUT_KEY, Caller
from services.kit.app import bearer
from stoculus.errors import Forbidden, Unauthenticated

_SHOWN_TO_ALL: Final = frozenset({"/docs", "/docs/oauth2-redirect", "/openapi.json"})
_NEVER_PUBLIC: Final = (".localhost", ".local", ".internal")
_HOW: Final = "Send Authorization: Bearer <key>. The command line sends STOCULUS_API_KEY, or STOCULUS_API_KEY_FILE."


class Gate:
    """What `create_app` admits requests by. It leaves who asks in `request.state.caller`.

    `keys`: None where access is open. Then everybody is let in, but for web pages of elsewhere, which could ask through
    the browser of a user of this machine.
    """

    def __init__(self, keys: Keys | None, limit: RateLimit) -> None:
        self._keys = keys
        self._limit = limit

    def __call__(self, request: Request) -> None:
        """Raise Unauthenticated, Forbidden or TooManyRequests; ServiceUnavailable while keys have not been read."""
        _refuse_foreign_pages(request)
        if request.url.path in _SHOWN_TO_ALL:
            return
        anybody = f"Whoever asks from {request.client.host if request.client else 'nowhere'}"
        if self._keys is None:
            _refuse_public_names(request)
            caller = Caller(anybody, WITHOUT_KEY, has_key=False)
        else:
            try:
                caller = _holder(self._keys, bearer(request))
            except Unauthenticated:
                self._limit.take(anybody)
                raise
        self._limit.take(caller.name)
        request.state.caller = caller


def _holder(keys: Keys, secret: str) -> Caller:
    if not secret:
        raise Unauthenticated("An API key is needed, and none was sent.", remedy=_HOW)
    if caller := keys.holder(secret):
        return caller
    raise Unauthenticated("The API key is not known here, or it has ended.", remedy=_HOW)


def _refuse_foreign_pages(request: Request) -> None:
    """Browsers say whose page asks. They send simple requests across origins without asking first."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden(f"Pages of {origin[:80]} may not ask here.", remedy="Ask from a program.")


def _refuse_public_names(request: Request) -> None:
    """A page whose name is suddenly this machine's address is of one origin with all here, as its browser sees it."""
    name = request.url.hostname or ""
    if "." not in name or name.endswith(_NEVER_PUBLIC):
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        remedy = "Ask by its address, or start the coordinator with STOCULUS_ACCESS=keys."
        raise Forbidden(f"Where access is open, {name[:80]} is no name of the coordinator.", remedy=remedy) from None
