"""History played again, on one clock, true to the spacing of its times.

`History` reads it as a merge, which `Ahead` does in a thread. The `Player` says what is due by its `Clock`, and passes
over the time between sessions (`Hours`). An `Outlet` takes that to topics or to a simulator. `Replay` wires them.
"""

from stoculus.replay.replay import Replay
from stoculus.replay.status import Speed, State, Status

__all__ = ["Replay", "Speed", "State", "Status"]
