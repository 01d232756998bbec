"""How a key or a token is sent: in a header, never in a URL."""

from pydantic import SecretStr


def authorization(secret: SecretStr | None) -> dict[str, str]:
    """The header of a request; none where there is no secret."""
    return {"Authorization": f"Bearer {secret.get_secret_value()}"} if secret else {}
