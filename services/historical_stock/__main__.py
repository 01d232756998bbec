"""`python -m services.historical_stock`."""

import os
import sys

from services.historical_stock.app import build
from services.kit.app import serve
from stoculus.errors import SettingsInvalid
from stoculus.settings import ServiceSettings


def main() -> int:
    """Run the service until SIGTERM. Exit code 78 (EX_CONFIG) for a wrong setting."""
    try:
        settings = ServiceSettings.load(os.environ)
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 78
    serve(build(settings), settings.host, settings.historical_stock_port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
