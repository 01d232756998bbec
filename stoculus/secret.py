"""Secrets of the environment: read from variables or files, refused where they are weak, never shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from stoculus.errors import SettingsInvalid

FILE: Final = "_FILE"
"""Ends the name of a variable that names the file of a secret."""
HOW_TO_MAKE_ONE: Final = "`openssl rand -hex 32`"
SHORTEST_SECRET: Final = 16
_DEFAULTS: Final = ("change", "secret", "password", "example")


def read_secret(variable: str, environ: Mapping[str, str]) -> SecretStr | None:
    """A secret, of its variable or of its file without the newline at the end; None where neither is given."""
    file_variable = variable + FILE
    value, path = environ.get(variable), environ.get(file_variable)
    if not path:
        return SecretStr(value) if value else None
    if value:
        raise SettingsInvalid(
            f"{variable} and {file_variable} are both set.",
            remedy=f"Unset one of them; {file_variable} is the safer one.",
            field=f"{variable} {file_variable}",
        )
    try:
        held = Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsInvalid(
            f"The file that {file_variable} names cannot be read: {cause}.",
            remedy="Name a file with the secret in it, which this user may read.",
            field=file_variable,
        ) from None
    if not held:
        raise SettingsInvalid(
            f"The file that {file_variable} names is empty.",
            remedy="Write the secret into it.",
            field=file_variable,
        )
    return SecretStr(held)


def _sendable(secret: SecretStr | None) -> SecretStr | None:
    """Refuse what no header can hold."""
    text = secret.get_secret_value() if secret else ""
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise PydanticCustomError("secret", "it has characters that cannot be sent", {"remedy": "Copy it anew, whole."})
    return secret


def _strong(secret: SecretStr | None) -> SecretStr | None:
    """Refuse what anybody could guess."""
    text = secret.get_secret_value() if secret else None
    if text is None:
        return None
    if len(text) < SHORTEST_SECRET:
        why = f"it is shorter than {SHORTEST_SECRET} characters"
    elif text.lower().startswith(_DEFAULTS) or len(set(text)) < SHORTEST_SECRET // 2:
        why = "anybody would guess it"
    else:
        return secret
    raise PydanticCustomError("secret", "{why}", {"why": why, "remedy": f"Make another: {HOW_TO_MAKE_ONE}."})


Sent = Annotated[SecretStr | None, AfterValidator(_sendable)]
"""A secret that is sent in a header."""
Own = Annotated[SecretStr | None, AfterValidator(_sendable), AfterValidator(_strong)]
"""One that is made up for this suite."""
