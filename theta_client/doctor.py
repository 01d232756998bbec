"""The entry `theta` of the group `stoculus.doctor`: what the terminal says of itself."""

import socket
import threading
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

import httpx2

from stoculus.errors import StoculusError, VendorBusy, VendorUnreachable
from theta_client.protocol import EVIDENCE_BYTES, Tier, error_of
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


def probe_terminal(rest_url: str, stream_url: str, tier: str, timeout_s: float) -> Iterator[Line]:
    """Look at the terminal behind two URLs. It raises VendorUnreachable, VendorSilent.

    The stream is not opened: a terminal serves one client, and that is the live service.
    """
    transport = Transport(rest_url, connect_timeout_s=timeout_s, idle_timeout_s=timeout_s)
    try:
        try:
            yield _history(_word(transport, "mdds"), rest_url)
        except VendorBusy as error:
            yield Line("note", _PART, f"{rest_url} is busy: {error.message}", error.remedy)
        yield from _stream(transport, stream_url, timeout_s)
    finally:
        transport.close()
    yield from _jar(rest_url, timeout_s)
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


def _jar(rest_url: str, timeout_s: float) -> Iterator[Line]:
    try:
        answer = httpx2.get(f"{rest_url.rstrip('/')}/__clock", timeout=timeout_s, trust_env=False)
        is_simulator = answer.status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        is_simulator = False
    who = "it is the simulator: no jar, no account" if is_simulator else "Stoculus does not run its jar"
    yield Line("note", _PART, who)


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
