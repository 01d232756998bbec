"""The README's session in containers."""

import re

from tests.compose.suite import Suite, run, until
from tests.conftest import CHECKOUT

STREAM = {"stream_id": "tape", "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}]}


def pasted(*marks: str) -> list[str]:
    """The shell blocks of the README's session that hold one of the marks."""
    text = (CHECKOUT / "README.md").read_text()
    chapter = text.split("## A session to paste")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)
    return [block for block in blocks if any(mark in block for mark in marks)]


def test_all_services_are_healthy(suite: Suite) -> None:
    assert len(suite.running()) == 8
    assert suite.unhealthy() == {}


def test_the_session_of_the_readme(suite: Suite) -> None:
    blocks = pasted("-X POST", "/records?", "--against-source")

    printed = "".join(suite.paste(block.split(".venv/bin/stoculus plot")[0]) for block in blocks)

    assert len(blocks) == 3
    assert "stock-aapl-ohlcv1m-historical-42" in printed
    assert suite.show("backtests", "42")["state"] == "completed"


def test_a_stream_runs(suite: Suite) -> None:
    assert suite.api.post("/v1/streams", json=STREAM).status_code == 202

    until(
        lambda: any(topic["complete_until"] for topic in suite.show("streams", "tape").get("topics", ())),
        "live records",
    )
    suite.compose("exec", "-T", "coordinator", "stoculus", "tape", "stock-aapl-trade-live", "--limit", "5")
    assert suite.api.delete("/v1/streams/tape").status_code == 202


def test_the_doctor_finds_nothing_that_hinders_work(suite: Suite) -> None:
    assert "failed" not in suite.exec("coordinator", "stoculus", "doctor")


def test_each_container_ends_within_eight_seconds(suite: Suite) -> None:
    ids = {name: container["Id"] for name, container in suite.running().items()}
    for each in ids.values():
        run("docker", "stop", "--time", "8", each)
    ended = {name: container["State"]["ExitCode"] for name, container in suite.running().items()}
    run("docker", "start", *ids.values())
    suite.heal()

    assert {name: code for name, code in ended.items() if code not in (0, 143)} == {}
