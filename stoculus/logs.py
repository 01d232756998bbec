"""Logs on stderr, one line each: text, or JSON with what a line belongs to. Secrets do not get there.

What a line belongs to is said once, where work begins (`about`), or by `extra` of the logging call.
"""

import json
import logging
import re
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from pydantic import SecretStr

from stoculus.settings import SuiteSettings

FIELDS: Final = ("request_id", "backtest_id", "stream_id", "task_id", "topic")
"""What a line may belong to."""
HIDDEN: Final = "***"
_SHORTEST_SECRET: Final = 4
"""A shorter one would be found in every other word."""

_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))

_SEPARATED = r"""(\\*["']?\s*(?:[:=]|(?<=["']),)\s*b?)"""
"""As in a header, a setting, a dict, JSON inside of JSON, or a pair of strings."""
_QUOTED = r"""(\\*["'])(?:.*?(?=\3)|.*)"""
_SECRETS: Final = [
    (re.compile(rf"(?i)(authorization|cookie)\b{_SEPARATED}(?:{_QUOTED}|[^\r\n\"']+)"), rf"\1\2{HIDDEN}"),
    (
        re.compile(
            r"(?i)((?:passw(?:or)?d|secret|token|credentials?|(?:api|admin|private)[._-]?key)[\w.-]*)"
            rf"{_SEPARATED}(?:{_QUOTED}|[^\s,;&\"'()\[\]{{}}]+)"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(stoc_[\w-]{4})[\w-]{20,}"), r"\1****"),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
]
log = logging.getLogger(__name__)


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """What is logged meanwhile, by this thread or task and by what copies its context, belongs to these FIELDS."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def request_id() -> str | None:
    """The request that is being answered."""
    return _ABOUT.get().get("request_id")


def configure(service: str, settings: SuiteSettings) -> None:
    """Send what is logged, by libraries too, to stderr, as `formatter` makes it."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(service, settings))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    sys.excepthook = lambda kind, error, trace: log.critical("Ended by an error", exc_info=(kind, error, trace))
    threading.excepthook = _thread_ended


def formatter(service: str, settings: SuiteSettings) -> logging.Formatter:
    """What makes lines in the format and without the secrets of the settings."""
    redact = Redactor([value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)])
    return _Json(redact, service) if settings.log_format == "json" else _Text(redact)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "unknown"
    error = ended.exc_value or ended.exc_type()
    log.critical("The thread %s ended by an error", name, exc_info=(ended.exc_type, error, ended.exc_traceback))


class Redactor:
    """Hides secrets in a text: `known` values, and what stands behind the name of a header or setting of one."""

    def __init__(self, known: list[str]) -> None:
        long = sorted((value for value in known if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(HIDDEN, text)
        for pattern, shown in _SECRETS:
            text = pattern.sub(shown, text)
        return text


class _Line(logging.Formatter, ABC):
    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stack = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[1] else []
        stack += [self.formatStack(record.stack_info)] if record.stack_info else []
        return self._line(record, at, self._redact(record.getMessage()), self._redact("\n".join(stack)))

    @abstractmethod
    def _line(self, record: logging.LogRecord, at: str, message: str, stack: str) -> str: ...


class _Text(_Line):
    def _line(self, record: logging.LogRecord, at: str, message: str, stack: str) -> str:
        # What was sent must not look like lines of its own.
        one_line = message.replace("\r", "\\r").replace("\n", "\\n")
        return f"{at} {record.levelname} {record.name}: {one_line}" + (f"\n{stack}" if stack else "")


class _Json(_Line):
    def __init__(self, redact: Redactor, service: str) -> None:
        super().__init__(redact)
        self._service = service

    def _line(self, record: logging.LogRecord, at: str, message: str, stack: str) -> str:
        about = {**_ABOUT.get(), **vars(record)}
        line: dict[str, Any] = {"ts": at, "level": record.levelname.lower(), "logger": record.name, "message": message}
        line |= {"service": self._service} | {
            name: self._redact(str(about[name])) for name in FIELDS if about.get(name)
        }
        if record.exc_info and (error := record.exc_info[1]):
            line["error"] = {"type": type(error).__name__, "message": self._redact(str(error)), "stack": stack}
        elif stack:
            line["error"] = {"stack": stack}
        # json escapes what orjson refuses: lone surrogates of a request that is quoted.
        return json.dumps(line, default=str)
