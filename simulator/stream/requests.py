"""Messages of a client (stream.md 2): strict JSON or, as the vendor's samples send, a Python literal with strings."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, cast, get_args

import orjson

from stoculus.errors import Terminal
from stoculus.instruments import OptionContract

Security = Literal["STOCK", "OPTION", "INDEX"]
What = Literal["TRADE", "QUOTE", "MARKET_VALUE"]


class Malformed(Terminal):
    """A message that the terminal cannot read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is streamed: a symbol (of an index or a stock), a contract, or None for the whole market."""

    security: Security
    what: What
    instrument: str | OptionContract | None

    @property
    def root(self) -> str:
        if isinstance(self.instrument, OptionContract):
            return self.instrument.root
        return self.instrument or ""


@dataclass(frozen=True, slots=True)
class Request:
    """Subscribe (`add`) or unsubscribe."""

    subject: Subject
    add: bool
    req_id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End all subscriptions of the terminal."""


def read(text: str | bytes, *, strict: bool) -> Request | Stop:
    """Read a message; raise Malformed. `strict` takes JSON with integers only."""
    message = _mapping(text, strict=strict)
    kind = str(message.get("msg_type", "")).upper()
    if kind == "STOP":
        return Stop()
    if not kind.startswith("STREAM"):
        raise Malformed(f"{kind[:40]!r} is no msg_type.")
    security = cast(Security, _word(message, "sec_type", get_args(Security)))
    what = cast(What, _word(message, "req_type", get_args(What)))
    add = message.get("add")
    if not isinstance(add, bool):
        raise Malformed("`add` is not true or false.")
    instrument = None if "BULK" in kind else _instrument(security, message.get("contract"), strict=strict)
    return Request(Subject(security, what, instrument), add, _integer(message, "id", strict=strict))


def _mapping(text: str | bytes, *, strict: bool) -> Mapping[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if strict:
            raise Malformed(f"A message is no JSON: {error}.") from error
        message = _literal(text)
    if not isinstance(message, dict):
        raise Malformed("A message is no object.")
    return message


def _literal(text: str | bytes) -> object:
    try:
        return ast.literal_eval(text if isinstance(text, str) else text.decode())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise Malformed("A message is neither JSON nor a Python literal.") from error


def _word(message: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    word = str(message.get(name, "")).upper()
    if word not in allowed:
        raise Malformed(f"{word[:40]!r} is no {name}.")
    return word


_DIGITS: Final = frozenset("0123456789")


def _integer(message: Mapping[str, Any], name: str, *, strict: bool) -> int:
    value = message.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and not strict and value and set(value) <= _DIGITS:
        return int(value)
    raise Malformed(f"{name} is not an integer.")


def _instrument(security: Security, contract: object, *, strict: bool) -> str | OptionContract:
    root = contract.get("root") if isinstance(contract, dict) else None
    if not isinstance(contract, dict) or not isinstance(root, str) or not root:
        raise Malformed("A contract has no root.")
    if security != "OPTION":
        return root
    right = {"C": "call", "P": "put"}.get(str(contract.get("right")))
    if right is None:
        raise Malformed("A contract's right is not C or P.")
    strike = _integer(contract, "strike", strict=strict)
    return OptionContract(root, _day(_integer(contract, "expiration", strict=strict)), strike, cast(Any, right))


def _day(number: int) -> date:
    try:
        return datetime.strptime(f"{number:08d}", "%Y%m%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError as error:
        raise Malformed(f"{number} is no day.") from error
