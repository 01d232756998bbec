"""The entry `theta` of the group `stoculus.doctor`: what the terminal says of itself."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

import httpx2

from stoculus.errors import StoculusError, VendorBusy, VendorUnreachable
from theta_client.protocol import EVIDENCE_BYTES, Tier, error_of
from theta_client.terminal.jar import sha256_of
from theta_client.terminal.setup import JAR
from theta_client.transport import Transport

_PART: Final = "terminal"
_TAKEN: Final = "Is another terminal or library logged in on the account? Stop it, then restart this one."
_WORDS: Final = {
    "UNVERIFIED": ("the account is not accepted, or taken over", f"Check the credentials. {_TAKEN}"),
    "DISCONNECTED": ("it has lost its servers", "Check its network; it connects again by itself."),
    "ERROR": ("it has failed", "Restart it; its log says why."),
}


class Line(NamedTuple):
    """As stoculus.doctor.probe.Line."""

    level: Literal["ok", "note", "warning", "failed"]
    part: str
    found: str
    remedy: str = ""


def probe_terminal(
    rest_url: str, stream_url: str, tier: str, timeout_s: float, mode: str, folder: Path, sha256: str | None
) -> Iterator[Line]:
    """Look at the terminal behind two URLs, and at the jar in `folder`. It raises VendorUnreachable, VendorSilent.

    The stream is not opened: a terminal serves one client, and that is the live service.
    """
    jar = _jar(mode, folder, sha256)
    yield from jar
    transport = Transport(rest_url, connect_timeout_s=timeout_s, idle_timeout_s=timeout_s)
    try:
        try:
            yield _history(_word(transport, "mdds"), rest_url)
        except VendorBusy as error:
            yield Line("note", _PART, f"{rest_url} is busy: {error.message}", error.remedy)
        yield from _stream(transport, stream_url, timeout_s)
    finally:
        transport.close()
    if not jar:
        yield _nobodys(rest_url, timeout_s, mode, folder)
    at_once = Tier(tier).concurrency
    requests = f"{at_once} request{'' if at_once == 1 else 's'} at once"
    yield Line("ok", _PART, f"tier {tier} by STOCULUS_THETA_TIER here: {requests}; a service has its own setting")


def _history(word: str, url: str) -> Line:
    if word == "CONNECTED":
        return Line("ok", _PART, f"{url} answers, history is {word}")
    why, remedy = _WORDS.get(word, ("that is no word of a terminal", "Correct STOCULUS_THETA_URL."))
    return Line("failed", _PART, f"{url} answers, history is {word[:40]!r}: {why}", remedy)


def _stream(transport: Transport, url: str, timeout_s: float) -> Iterator[Line]:
    try:
        place = urlsplit(url)
        socket.create_connection((place.hostname or "", place.port or 80), timeout_s).close()
    except (OSError, ValueError) as error:
        remedy = "Start the terminal with its stream, or correct STOCULUS_THETA_STREAM_URL. History works without it."
        yield Line("warning", _PART, f"no stream at {url}: {error}", remedy)
        return
    try:
        word = _word(transport, "fpss")
    except StoculusError as error:
        yield Line("note", _PART, f"something listens at {url}; its status is not told: {error.message}")
        return
    if word == "CONNECTED":
        yield Line("ok", _PART, f"the stream at {url} is {word}")
    elif word == "DISCONNECTED":
        remedy = "A terminal logs in at its first subscription. If streams run, see its log."
        yield Line("note", _PART, f"the stream at {url} is {word}: nothing is subscribed yet, or it is lost", remedy)
    else:
        why, remedy = _WORDS.get(word, ("that is no word of a terminal", ""))
        yield Line("warning", _PART, f"the stream at {url} is {word[:40]!r}: {why}", remedy)


def _jar(mode: str, folder: Path, sha256: str | None) -> list[Line]:
    """The jar in the folder, if there is one."""
    jar = folder / JAR
    found = sha256_of(jar)
    what = f"mode {mode}; {jar} has the sha256 {found}"
    if found is None:
        return []
    if sha256 is None:
        return [Line("note", _PART, what, f"Set STOCULUS_TERMINAL_SHA256={found} to have it started.")]
    if sha256 != found:
        return [Line("warning", _PART, f"{what}, wanted is {sha256}: it is not started", "Bring the right jar.")]
    return [Line("ok", _PART, f"{what}, as wanted")]


def _nobodys(rest_url: str, timeout_s: float, mode: str, folder: Path) -> Line:
    try:
        answer = httpx2.get(f"{rest_url.rstrip('/')}/__clock", timeout=timeout_s, trust_env=False)
        is_simulator = answer.status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        is_simulator = False
    nobody = f"mode {mode}, and no jar in {folder} here: it is run elsewhere"
    return Line("note", _PART, "it is the simulator: no jar, no account" if is_simulator else nobody)


def _word(transport: Transport, upstream: str) -> str:
    path = f"terminal/{upstream}/status"
    try:
        with transport.get(path, {}, threading.Event()) as answer:
            body = answer.first_bytes(EVIDENCE_BYTES)
    except httpx2.InvalidURL as error:
        raise VendorUnreachable(
            f"The terminal's URL is none: {error}.", remedy="Correct STOCULUS_THETA_URL."
        ) from error
    if answer.status != httpx2.codes.OK:
        raise error_of(answer.status, body, path)
    return body.decode("utf-8", "replace").strip()
