"""Every error of the suite, in one tree. Each leaf is Transient (trying again may help) or Terminal (it will not).

    StoculusError
    ├── Transient
    │   ├── VendorBusy             429: the terminal's queue is full
    │   ├── VendorDisconnected     474, 503: the terminal lost its upstream
    │   ├── VendorStarting         571: the vendor's server restarts
    │   ├── VendorUnreachable      connection refused or reset: the terminal is down
    │   ├── VendorSilent           no byte for the idle time-out
    │   ├── VendorBodyCut          the body ended before its end
    │   ├── VendorFault            470, 477, 500, 572: the vendor failed
    │   ├── SessionTaken           478: another terminal logged in on the account
    │   ├── BrokerUnavailable      Kafka does not answer
    │   ├── RegistryUnavailable    the schema registry does not answer
    │   ├── ServiceUnavailable     a service of the suite does not answer
    │   ├── TooManyRequests        429: a caller asks faster, or follows more, than it may
    │   └── SortFailed             memory or disk were not enough to sort a day of options
    └── Terminal
        ├── InvalidRequest         422: a field of a request is wrong
        ├── Unauthenticated        401: no API key, or one that is not known or has ended
        ├── Forbidden              403: the key lacks a scope
        ├── RequestTooLarge        413
        ├── NotFound               404
        ├── Conflict               409
        ├── VendorRefused          400, 404, 410, 473, 475, 476: the terminal rejects the request
        ├── VendorAnswerMalformed  200 with a body that is no table
        ├── TierTooLow             403, 471: the account may not see this
        ├── NoData                 472: the vendor has nothing for the request
        ├── LargeRequest           570: too much for one answer
        ├── ColumnsMissing         the vendor's header lacks columns
        ├── TooManyBadRows         more malformed rows than the task tolerates
        ├── SourceChanged          the vendor revised rows of a chunk that is half written
        ├── TopicLost              a topic or its records vanished under a task
        ├── BacktestIncomplete     what is read will not come: its backtest failed, was cancelled, or is paused
        ├── Fenced                 another runner took the task over
        ├── SchemaNotRegistered    the registry lacks a record schema, or has another
        ├── BrokerRefused          the broker rejects for good: login, rights, size, policy
        ├── RegistryRefused        the registry refuses the login, or is not to be trusted
        ├── DiskRefused            a file cannot be written: no room, no right
        ├── ExportDamaged          a file of an export is missing, cut or altered
        ├── SettingsInvalid        a setting is unknown or wrong
        ├── StackFailed            the local stack could not start
        └── Defect                 a fault of the suite itself

Catch `Transient` to retry, `StoculusError` to report.
"""

from typing import ClassVar


class StoculusError(Exception):
    """`message` says what happened and where, `remedy` what to do, `detail` is evidence for engineers."""

    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str = "", detail: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail
        self.field = field

    @property
    def code(self) -> str:
        """The class name in snake case: the stable name of the error in answers, checkpoints and logs."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Transient(StoculusError):
    """Trying again may help."""

    http_status = 503


class Terminal(StoculusError):
    """Trying the same again will not help."""


class VendorBusy(Transient): ...


class VendorDisconnected(Transient): ...


class VendorStarting(Transient): ...


class VendorUnreachable(Transient): ...


class VendorSilent(Transient): ...


class VendorBodyCut(Transient): ...


class VendorFault(Transient): ...


class SessionTaken(Transient): ...


class BrokerUnavailable(Transient): ...


class RegistryUnavailable(Transient): ...


class ServiceUnavailable(Transient): ...


class SortFailed(Transient): ...


class TooManyRequests(Transient):
    http_status = 429

    def __init__(
        self, message: str, *, remedy: str = "", detail: str = "", field: str | None = None, retry_after_s: int = 1
    ) -> None:
        super().__init__(message, remedy=remedy, detail=detail, field=field)
        self.retry_after_s = retry_after_s


class InvalidRequest(Terminal):
    http_status = 422


class Unauthenticated(Terminal):
    http_status = 401


class Forbidden(Terminal):
    http_status = 403


class RequestTooLarge(Terminal):
    http_status = 413


class NotFound(Terminal):
    http_status = 404


class Conflict(Terminal):
    http_status = 409


class VendorRefused(Terminal):
    http_status = 502


class VendorAnswerMalformed(Terminal):
    http_status = 502


class TierTooLow(Terminal):
    http_status = 422


class NoData(Terminal):
    http_status = 404


class LargeRequest(Terminal):
    http_status = 502


class ColumnsMissing(Terminal):
    http_status = 502


class TooManyBadRows(Terminal): ...


class SourceChanged(Terminal): ...


class TopicLost(Terminal): ...


class BacktestIncomplete(Terminal):
    http_status = 409


class Fenced(Terminal): ...


class SchemaNotRegistered(Terminal): ...


class BrokerRefused(Terminal): ...


class RegistryRefused(Terminal): ...


class DiskRefused(Terminal): ...


class ExportDamaged(Terminal): ...


class SettingsInvalid(Terminal): ...


class StackFailed(Terminal): ...


class Defect(Terminal): ...
