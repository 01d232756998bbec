"""Who may ask a service: the coordinator, where they share a token."""

import hmac
from collections.abc import Callable

from fastapi import Request
from pydantic import SecretStr

from services.kit.app import bearer
from stoculus.errors import Unauthenticated


def token_gate(token: SecretStr | None) -> Callable[[Request], None]:
    """What `create_app` admits requests by: only those that bear the token; all, where there is none."""
    wanted = token.get_secret_value().encode() if token else None

    def admit(request: Request) -> None:
        if wanted is not None and not hmac.compare_digest(bearer(request).encode(), wanted):
            raise Unauthenticated(
                "This service answers the coordinator alone.",
                remedy="Give both the same STOCULUS_SERVICE_TOKEN, or ask the coordinator.",
            )

    return admit
