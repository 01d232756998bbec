"""`python -m coordinator`: run the coordinator by the settings of the environment."""

import sys

from coordinator.app import build_app
from services.kit.app import run
from stoculus.settings import CoordinatorSettings

if __name__ == "__main__":
    sys.exit(run("coordinator", CoordinatorSettings, build_app, lambda settings: settings.coordinator_port))
