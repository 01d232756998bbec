"""What two requests differ in, and where in a request a service's complaint belongs."""

import re
from collections.abc import Sequence
from typing import Any, Final

from coordinator.selections import Asked
from stoculus.errors import Conflict, StoculusError

_MOST_DIFFERENCES: Final = 10


def in_request(error: StoculusError, told: str, asked: Sequence[Asked]) -> StoculusError:
    """The error with the field of the user's request instead of the service's.

    `told` names the list that the service was told, such as `tasks`, each element of it asked for by one of `asked`.
    """
    match = re.match(told + r"\[(\d+)\]\.?(.*)", error.field or "")
    if not match or int(match[1]) >= len(asked):
        return error
    field = asked[int(match[1])].field_of(match[2])
    return type(error)(error.message, remedy=error.remedy, detail=error.detail, field=field)


def require_same(what: str, row_id: str, stored: dict[str, Any], given: dict[str, Any]) -> None:
    """Raise Conflict, which says what differs, where two canonical requests under one id are not the same."""
    if found := differences(stored, given):
        raise Conflict(
            f"{what.capitalize()} {row_id!r} exists with another request: "
            + " ".join(list(found.values())[:_MOST_DIFFERENCES]),
            remedy=f"Use another {what}_id, or send the same request.",
            field=next(iter(found)),
        )


def differences(stored: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    """What differs between two canonical requests: a sentence for each JSON path."""
    left, right = _flat(stored), _flat(given)
    return {
        path: f"{path} is {_show(left.get(path))} in the stored request and {_show(right.get(path))} in this one."
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    }


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {p: v for key, inner in value.items() for p, v in _flat(inner, f"{path}.{key}".lstrip(".")).items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {p: v for n, inner in enumerate(value) for p, v in _flat(inner, f"{path}[{n}]").items()}
    return {path: value}


def _show(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
