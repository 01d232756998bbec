"""Probes: each looks at one part and says what it found. They run beside each other, and none is waited for long."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

from stoculus.errors import StoculusError

DEADLINE_S: Final = 12.0
"""How long all probes together may take."""
ANSWER_S: Final = 3.0
"""How long a probe waits for one answer."""

Level = Literal["ok", "note", "warning", "failed"]


class Line(NamedTuple):
    """What was found of a part. `note`: odd and harmless; `warning`: work goes on; `failed`: it does not."""

    level: Level
    part: str
    found: str
    remedy: str = ""


Probe = Callable[[], Iterable[Line]]


def run(probes: Mapping[str, Probe], deadline_s: float = DEADLINE_S) -> list[Line]:
    """What all probes found, in their order. A probe that is not done by the deadline, or fails itself, is told."""
    found: dict[str, list[Line]] = {part: [] for part in probes}
    # Daemons: what hangs must not keep the command from ending.
    threads = {
        part: threading.Thread(target=_run, args=(part, probe, found[part]), name=f"probe-{part}", daemon=True)
        for part, probe in probes.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + deadline_s
    for part, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            found[part].append(Line("failed", part, f"no answer within {deadline_s:g} s", "See its log."))
    return [line for lines in found.values() for line in list(lines)]


def _run(part: str, probe: Probe, lines: list[Line]) -> None:
    try:
        for line in probe():
            # What is found stays, whatever comes behind it.
            lines.append(line._replace(found=line.found.rstrip(".")))
    except StoculusError as error:
        lines.append(Line("failed", part, error.message.rstrip("."), error.remedy))
    except Exception as error:
        lines.append(Line("failed", part, f"A defect of Stoculus: {error!r}", "Please report it."))
