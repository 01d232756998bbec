"""`python -m tests.bench.live.vendor`: the simulator with the load market, settings as the simulator's."""

import os
from unittest.mock import patch

from simulator.server import serve
from stoculus.settings import SimulatorSettings
from tests.bench.live.market import LoadMarket


def main() -> None:
    """Serve until a signal; the base URL is the first line of output."""
    with patch("simulator.app.Synthetic", LoadMarket):
        serve(SimulatorSettings.load(os.environ), lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
