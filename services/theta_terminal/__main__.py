"""`python -m services.theta_terminal`."""

import sys

from services.kit.app import run
from services.theta_terminal.app import build
from stoculus.settings import TerminalSettings

if __name__ == "__main__":
    sys.exit(run("theta-terminal", TerminalSettings, build, lambda settings: settings.terminal_port))
