"""Asks a terminal for its status word. Only the word counts: a port that is open says nothing, nor does a 200."""

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from stoculus.errors import VendorBodyCut, VendorSilent, VendorUnreachable
from theta_client.protocol import plain_text
from theta_client.transport import Transport

PATH: Final = "terminal/mdds/status"
_SESSION_TAKEN: Final = 478
_WORD_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: a status with its text, nothing within the deadline, or nobody listens."""

    status: int | None = None
    text: str = ""
    is_silent: bool = False

    @property
    def is_closed(self) -> bool:
        """Nobody listens."""
        return self.status is None and not self.is_silent

    @property
    def word(self) -> str | None:
        """The status word."""
        return self.text if self.status == HTTPStatus.OK else None

    @property
    def is_taken(self) -> bool:
        """It says that its session is taken."""
        return self.status == _SESSION_TAKEN

    @property
    def is_busy(self) -> bool:
        """It lives, and has too much to do to say its word, or does not like the question."""
        return self.status is not None and 400 <= self.status < 500 and not self.is_taken

    @property
    def told(self) -> str:
        """What it said, for people."""
        return self.text if self.status == HTTPStatus.OK else f"{self.status} {self.text}".strip()


def probe(transport: Transport, aborted: threading.Event) -> Answer:
    """Ask once; the deadline is the transport's. Raise Cancelled where `aborted` is set."""
    try:
        with transport.get(PATH, {}, aborted) as answer:
            return Answer(answer.status, plain_text(answer.first_bytes(_WORD_BYTES)))
    except (VendorSilent, VendorBodyCut):
        return Answer(is_silent=True)
    except VendorUnreachable:
        return Answer()
