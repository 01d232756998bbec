"""`python -m services.historical_stock`."""

import sys

from services.historical_stock.app import build
from services.kit.app import run
from stoculus.settings import ServiceSettings

if __name__ == "__main__":
    sys.exit(run("historical-stock", ServiceSettings, build, lambda settings: settings.historical_stock_port))
