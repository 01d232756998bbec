"""`python -m services.live_stream`."""

import os
import sys

from services.kit.app import serve
from services.kit.service import EX_CONFIG
from services.live_stream.app import build
from stoculus.errors import SettingsInvalid
from stoculus.settings import LiveSettings


def main() -> int:
    """Serve until SIGTERM. Exit code 78 (EX_CONFIG) for a wrong setting."""
    try:
        settings = LiveSettings.load(os.environ)
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return EX_CONFIG
    serve(build(settings), settings.host, settings.live_stream_port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
