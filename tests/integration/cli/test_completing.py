"""Tab in a real shell, on a real broker."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from stoculus.kafka import admin
from tests.integration.cli.conftest import Broker

PRESS_TAB = """
eval "$(stoculus --show-completion)"
COMP_WORDS=(stoculus tape "$1") COMP_CWORD=2
_stoculus_completion stoculus
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_topics_are_completed_in_bash(broker: Broker) -> None:
    topic = f"stock-aapl-trade-historical-{uuid4().hex}"
    admin.create_topics(admin.connect(broker.kafka), [topic, topic.removeprefix("stock-")], {})
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STOCULUS_KAFKA_BOOTSTRAP": broker.bootstrap,
    }
    command = ["bash", "--norc", "-c", PRESS_TAB, "bash", topic[:-3]]

    pressed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert (pressed.stdout, pressed.stderr) == (f"{topic}\n", "")
