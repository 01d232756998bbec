"""Where broker, registry and coordinator are, and a quick word when the broker is not."""

import os
from typing import TYPE_CHECKING

from stoculus.kafka.reachable import reachable_kafka

if TYPE_CHECKING:
    from stoculus.settings import ClientSettings

__all__ = ["reachable_kafka", "settings"]


def settings() -> "ClientSettings":
    """The settings of the command line, from the environment."""
    from stoculus.settings import ClientSettings

    return ClientSettings.load(os.environ)
