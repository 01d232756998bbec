"""What is sent to submit a backtest or start a stream: a JSON file, or what the options say."""

import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import typer

from stoculus.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Selection:
    """The options that select instruments and a schema, as written; what was not given is None or empty."""

    symbols: str | None
    root: str | None
    expirations: str | None
    dte: str | None
    strikes: str | None
    around_spot: int | None
    right: str | None
    contract: list[str] | None
    schema: str | None
    interval: str | None


def backtest(
    file: str | None,
    selection: Selection,
    start: str | None,
    end: str | None,
    session: str | None,
    backtest_id: str | None = None,
) -> Any:
    """The body of a submission; raise BadParameter, with the option's name, for what cannot be one."""
    if file is not None:
        return _only(file, selection, start, end, session, backtest_id)
    data = _data(selection)
    if not data or not start:
        raise typer.BadParameter("Give a file, or --start with --symbols, --root or --contract.")
    window = {"start": start, "end": end or start, "session": session}
    return _given({"backtest_id": backtest_id} | window) | {"data": data}


def stream(
    file: str | None, selection: Selection, session: str | None, warmup: str | None, stream_id: str | None
) -> Any:
    """The body of a stream's start; raise BadParameter, with the option's name, for what cannot be one."""
    if file is not None:
        return _only(file, selection, session, warmup, stream_id)
    data = _data(selection)
    if not data:
        raise typer.BadParameter("Give a file, or --symbols, --root or --contract.")
    return _given({"stream_id": stream_id, "session": session, "warmup": warmup}) | {"data": data}


def _only(file: str, selection: Selection, *more: str | None) -> Any:
    """What the file says, where nothing is said beside it."""
    if any(value not in (None, []) for value in (*astuple(selection), *more)):
        raise typer.BadParameter("Give a file or options, not both.")
    return _read(file)


def _data(selection: Selection) -> list[dict[str, Any]]:
    kind = _given({"schema": selection.schema or "ohlcv", "interval": selection.interval})
    data: list[dict[str, Any]] = []
    if selection.symbols:
        data.append({"asset": "stock", "symbols": selection.symbols.split(",")} | kind)
    if (contracts := _contracts(selection)) is not None:
        data.append({"asset": "option"} | contracts | kind)
    return data


def _contracts(selection: Selection) -> dict[str, Any] | None:
    """The option selection, if there is one: of a chain, or contracts that are named."""
    narrowing = {
        "--root": selection.root,
        "--expirations": selection.expirations,
        "--dte": selection.dte,
        "--strikes": selection.strikes,
        "--around-spot": selection.around_spot,
        "--right": selection.right,
    }
    named = [flag for flag, value in narrowing.items() if value is not None]
    if selection.contract:
        if named:
            raise _bad(named[0], "--contract says it all: leave this out.")
        return _checked({"contracts": selection.contract}, {"contracts": "--contract"})
    if selection.root is None:
        if named:
            raise _bad(named[0], "Name the --root whose contracts it selects.")
        return None
    for flag, other in (("--dte", "--expirations"), ("--around-spot", "--strikes")):
        if flag in named and other in named:
            raise _bad(flag, f"Give it or {other}, not both.")
    if selection.expirations is None and selection.dte is None:
        raise _bad("--root", "Say which expirations: --expirations 2024-01-05, --expirations all, --dte 0:7.")
    return _chain(selection, selection.root)


def _chain(selection: Selection, root: str) -> dict[str, Any]:
    from stoculus.instruments import parse_root

    expirations = _span(selection.expirations, str)
    if selection.dte is not None:
        low, _, high = selection.dte.partition(":")
        expirations = {"dte": {"min": _read_as(int, low), "max": _read_as(int, high or low)}}
    strikes = _span(selection.strikes, float)
    if selection.around_spot is not None:
        strikes = {"around_spot": selection.around_spot}
    flags = {
        "expirations": "--dte" if selection.dte is not None else "--expirations",
        "strikes": "--around-spot" if selection.around_spot is not None else "--strikes",
    }
    chain = _checked(_given({"expirations": expirations, "strikes": strikes, "right": selection.right}), flags)
    try:
        return {"root": parse_root(root)} | chain
    except InvalidRequest as error:
        raise _bad("--root", f"{error.message} {error.remedy}") from error


def _span(text: str | None, kind: type[str] | type[float]) -> Any:
    """`a:b` is a range, `a,b` a list, `all` everything."""
    if text is None or text == "all":
        return text
    low, colon, high = text.partition(":")
    if colon:
        return {"min": _read_as(kind, low), "max": _read_as(kind, high)}
    return [_read_as(kind, each) for each in text.split(",")]


def _read_as(kind: type[str] | type[float] | type[int], text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text  # the selection says what it expects


def _checked(chain: dict[str, Any], flags: dict[str, str]) -> dict[str, Any]:
    """The selection in its one form, as the coordinator will read it."""
    from pydantic import ValidationError

    from stoculus.selection import ChainSelection

    try:
        selection = ChainSelection.model_validate(chain)
    except InvalidRequest as error:
        field, message, remedy = error.field or "", error.message, error.remedy
    except ValidationError as error:
        first = error.errors()[0]
        field, message, remedy = str(first["loc"][0]), first["msg"], first.get("ctx", {}).get("remedy", "")
    else:
        return selection.model_dump(mode="json", exclude_unset=True)
    raise _bad(flags.get(field, f"--{field}"), f"{message} {remedy}".strip())


def _bad(flag: str, message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint=flag)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _read(file: str) -> Any:
    import orjson

    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return orjson.loads(text)
    except (OSError, orjson.JSONDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error
