"""`python -m services.historical_option`."""

import sys

from services.historical_option.app import build
from services.kit.app import run
from stoculus.settings import ServiceSettings

if __name__ == "__main__":
    sys.exit(run("historical-option", ServiceSettings, build, lambda settings: settings.historical_option_port))
