"""Wanted and observed state of a stream: what is wanted is stored, what is observed is derived and never stored."""

from enum import StrEnum, unique

from coordinator.states import State


@unique
class Wanted(StrEnum):
    """What the user wants of a stream."""

    RUN = "run"
    STOP = "stop"


@unique
class Observed(State):
    """What a stream is seen to be.

    Closed: outside of its session. Waiting: it goes on by itself, the reason stands beside it. Failed: the live
    service refused it; it is tried again when it is submitted again or the coordinator starts.
    """

    STARTING = ("starting", False)
    RUNNING = ("running", False)
    CLOSED = ("closed", False)
    WAITING = ("waiting", False)
    STOPPING = ("stopping", False)
    FAILED = ("failed", True)
