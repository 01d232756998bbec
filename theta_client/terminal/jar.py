"""The jar: brought into the terminal's folder, and never started where its sha256 is another one."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import httpx2

from stoculus.errors import SettingsInvalid, VendorUnreachable
from theta_client.terminal.setup import Setup

OLDEST_JAVA: Final = 21
_JAVA_ANSWER_S: Final = 30.0
_FETCH_SILENCE_S: Final = 30.0
_GET_ONE: Final = (
    "Name the vendor's jar in STOCULUS_TERMINAL_JAR, or in STOCULUS_TERMINAL_URL where it may be fetched from, "
    "and its sha256 in STOCULUS_TERMINAL_SHA256."
)


def bring_jar(setup: Setup, say: Callable[[str], None]) -> None:
    """Put the right jar into the folder, unless it is there.

    Raise SettingsInvalid where there is none or a wrong one, VendorUnreachable where it cannot be fetched.
    """
    own, wanted = setup.own_jar, setup.sha256
    if setup.jar is not None:
        check_jar(setup.jar, wanted)
        if sha256_of(own) != wanted:
            _replace(own, partial(shutil.copyfile, setup.jar))
    elif setup.url and (not own.is_file() or (wanted and sha256_of(own) != wanted)):
        say(f"Fetching the terminal's jar from {setup.url} …")
        _replace(own, partial(_fetch, setup.url))
    check_jar(own, wanted)


def check_jar(jar: Path, wanted: str | None) -> None:
    """Raise SettingsInvalid unless the file is there and has the sha256."""
    found = sha256_of(jar)
    if found is None:
        raise SettingsInvalid(f"There is no jar at {jar}.", remedy=_GET_ONE)
    if wanted is None:
        raise SettingsInvalid(
            f"STOCULUS_TERMINAL_SHA256 is not set; {jar} has the sha256 {found}.",
            remedy=f"If that is the jar you trust, set STOCULUS_TERMINAL_SHA256={found}.",
        )
    if found != wanted:
        raise SettingsInvalid(
            f"{jar} is not the jar that is wanted: its sha256 is {found}, STOCULUS_TERMINAL_SHA256 is {wanted}.",
            remedy="Bring the right jar; or, if the vendor has a new one that you trust, set its sha256.",
        )


def sha256_of(path: Path) -> str | None:
    """The file's sha256; None where there is no such file, or it may not be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def check_java(setup: Setup) -> None:
    """Raise SettingsInvalid unless there is a Java that is new enough."""
    remedy = f"Install Java {OLDEST_JAVA} or newer, or name it in STOCULUS_TERMINAL_JAVA."
    try:
        run = subprocess.run(
            [setup.java, "-version"],
            env=setup.child_environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_JAVA_ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsInvalid(f"{setup.java} cannot be run: {error}.", remedy=remedy) from error
    found = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
    if found is None or int(found[1]) < OLDEST_JAVA:
        version = found[1] if found else "of an unknown version"
        raise SettingsInvalid(f"{setup.java} is Java {version}.", remedy=remedy)


def _replace(place: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole, or not at all."""
    part = place.with_name(f"{place.name}.part")
    try:
        write(part)
        os.replace(part, place)
    except OSError as error:
        raise SettingsInvalid(
            f"{place} cannot be written: {error.strerror or error}.",
            remedy="STOCULUS_TERMINAL_DIR must be a folder that this user may write to, with room in it.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(url: str, part: Path) -> None:
    try:
        with (
            httpx2.stream("GET", url, follow_redirects=True, timeout=_FETCH_SILENCE_S) as answer,
            part.open("wb") as file,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                file.write(chunk)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise VendorUnreachable(
            f"The terminal's jar cannot be fetched from {url}: {error or type(error).__name__}.",
            remedy="Try again later, or name a jar of your own in STOCULUS_TERMINAL_JAR.",
        ) from error
