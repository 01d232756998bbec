"""`python -m coordinator`: run the coordinator by the settings of the environment."""

import os
import sys

from coordinator.app import build_app
from services.kit.app import serve
from stoculus import logs
from stoculus.errors import SettingsInvalid
from stoculus.settings import CoordinatorSettings


def main() -> None:
    """Serve until SIGTERM."""
    try:
        settings = CoordinatorSettings.load(os.environ)
    except SettingsInvalid as error:
        sys.exit(str(error))
    logs.configure("coordinator", settings)
    serve(build_app(settings), settings.host, settings.coordinator_port)


if __name__ == "__main__":
    main()
