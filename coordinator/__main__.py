"""`python -m coordinator`: run the coordinator by the settings of the environment."""

import os
import sys

from coordinator.app import build_app
from services.kit.app import serve
from stoculus import logs
from stoculus.errors import SettingsInvalid
from stoculus.settings import CoordinatorSettings


def main() -> int:
    """Serve until SIGTERM. Exit code 78 (EX_CONFIG) for a wrong setting."""
    try:
        settings = CoordinatorSettings.load(os.environ)
        logs.configure("coordinator", settings)
        app = build_app(settings)
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_CONFIG
    serve(app, settings.host, settings.coordinator_port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
