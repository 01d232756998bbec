"""Who asks, and what it may do. Every route below /v1 says which scope it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.params import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from stoculus.errors import Forbidden


class Scope(StrEnum):
    """What a key may do; `admin` is all of it."""

    READ_BACKTESTS = "backtests:read"
    WRITE_BACKTESTS = "backtests:write"
    READ_STREAMS = "streams:read"
    WRITE_STREAMS = "streams:write"
    ADMIN = "admin"


WITHOUT_KEY: Final = frozenset(Scope) - {Scope.ADMIN}
"""What anybody may do where access is open. Keys that outlive that are not anybody's to make."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is what requests are counted by and errors tell: it has nothing secret in it."""

    name: str
    scopes: frozenset[Scope]
    has_key: bool = True

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


def caller_of(request: Request) -> Caller:
    """Who asks, as the gate has found."""
    caller: Caller = request.state.caller
    return caller


_BEARER: Final = HTTPBearer(
    scheme_name="API key", description="Where STOCULUS_ACCESS is keys. POST /v1/keys makes one.", auto_error=False
)


async def _require(
    request: Request,
    wanted: SecurityScopes,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> None:
    # Who asks has been found before the body was read. The scheme is here for /docs.
    caller = caller_of(request)
    for scope in map(Scope, wanted.scopes):
        if caller.may(scope):
            continue
        remedy = "Use a key that has it: `stoculus key list` shows them, `stoculus key create` makes one."
        if not caller.has_key:
            remedy = "Start the coordinator with STOCULUS_ACCESS=keys and use STOCULUS_ADMIN_KEY."
        raise Forbidden(f"{caller.name} lacks the scope {scope}.", remedy=remedy)


def needs(scope: Scope) -> Sequence[Depends]:
    """The dependencies of a route that only callers with the scope may use."""
    return [Security(_require, scopes=[scope])]
