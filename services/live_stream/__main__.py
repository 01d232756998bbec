"""`python -m services.live_stream`."""

import sys

from services.kit.app import run
from services.live_stream.app import build
from stoculus.settings import LiveSettings

if __name__ == "__main__":
    sys.exit(run("live-stream", LiveSettings, build, lambda settings: settings.live_stream_port))
