"""The vendor's terminal, by whoever knows it: the entry-point group `stoculus.doctor`.

The value of an entry is called with the URL of the terminal's REST API and of its stream, the tier that is set, how
many seconds it may wait for an answer, and of a terminal that the suite runs the mode, the folder and the wanted sha256
of its jar; it gives lines as `stoculus.doctor.probe.Line`.
"""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

from stoculus.doctor.probe import ANSWER_S, Line
from stoculus.settings import LiveSettings

GROUP: Final = "stoculus.doctor"


def probe_vendor(settings: LiveSettings) -> Iterator[Line]:
    """What each entry finds. Raises the vendor errors of `stoculus.errors`."""
    entries = entry_points(group=GROUP)
    if not entries:
        yield Line(
            "note", "terminal", "nothing here knows a terminal", "Install the suite: pip install 'stoculus[suite]'"
        )
    for entry in entries:
        probe = entry.load()
        jar = (settings.theta_mode, settings.terminal_dir, settings.terminal_sha256)
        for line in probe(settings.theta_url, settings.theta_stream_url, settings.theta_tier, ANSWER_S, *jar):
            yield Line(*line)
