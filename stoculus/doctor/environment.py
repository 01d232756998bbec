"""The settings of this process, and what it runs."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from stoculus.doctor.probe import Line
from stoculus.errors import SettingsInvalid
from stoculus.kafka import consume, enqueue
from stoculus.secret import FILE
from stoculus.settings import PREFIX, SuiteSettings, all_settings, known_names, refuse_unknown

_PART: Final = "settings"
_SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|CREDENTIALS")
_USER_OF_A_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def known(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without variables that are unknown, or that a program would refuse."""
    names = known_names()
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIX) or name in names}
    wrong = {name for error in _wrong_values(kept) for name in str(error.field).split()}
    return {name: value for name, value in kept.items() if name not in wrong}


def probe_settings(environment: Mapping[str, str]) -> Iterator[Line]:
    """Every variable of the suite in an environment, secrets left out; which are unknown or wrong."""
    names = known_names()
    given = {name: value for name, value in sorted(environment.items()) if name.startswith(PREFIX)}
    for name, value in given.items():
        try:
            refuse_unknown({name: value})
        except SettingsInvalid as error:
            remedy = f"{error.remedy} Every program refuses to start with it."
            yield Line("failed", _PART, error.message, remedy)
    for wrong in _wrong_values({name: value for name, value in given.items() if name in names}):
        yield Line("failed", _PART, wrong.message, wrong.remedy)
    for name, value in given.items():
        if name in names and value:
            yield Line("ok", _PART, f"{name} = {_shown(name, value)}, from the environment")
    if not any(given.values()):
        yield Line("ok", _PART, f"no {PREFIX} variable is set: the defaults hold")


def probe_program(versions: Mapping[str, str]) -> Iterator[Line]:
    """What runs here; `versions` by name."""
    yield Line("ok", "program", ", ".join(f"{name} {version}" for name, version in versions.items()))
    if not (consume.HAS_EXTENSION and enqueue.HAS_EXTENSION):
        remedy = "Install a C compiler, then the suite again (in a checkout: rm .venv/.ready && make setup)."
        yield Line("note", "program", "the loops in C are not built: topics are read and written in Python", remedy)


def _wrong_values(given: Mapping[str, str]) -> list[SettingsInvalid]:
    """What programs refuse; `field` has the names of the variables at fault."""
    found: dict[str, SettingsInvalid] = {}
    for settings in all_settings():
        left = {name: value for name, value in given.items() if name in settings.variables()}
        while left and (error := _refused(settings, left)):
            found.setdefault(str(error.field), error)
            faulty = set(str(error.field).split()) & left.keys()
            left = {name: value for name, value in left.items() if faulty and name not in faulty}
    return list(found.values())


def _refused(settings: type[SuiteSettings], given: Mapping[str, str]) -> SettingsInvalid | None:
    try:
        settings.load(given)
    except SettingsInvalid as error:
        return error
    return None


def _shown(name: str, value: str) -> str:
    is_secret = _SECRET.search(name) or name.removesuffix(FILE) in _secrets()
    # What is no path may be a secret that was mistaken for one.
    if is_secret and not (name.endswith(FILE) and value.startswith("/")):
        return "(not shown)"
    return _USER_OF_A_URL.sub("…", value)


def _secrets() -> set[str]:
    return {PREFIX + name.upper() for settings in all_settings() for name in settings.secret_fields()}
