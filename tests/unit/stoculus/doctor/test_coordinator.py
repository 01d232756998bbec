import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr

from stoculus.doctor.coordinator import probe_clock, probe_coordinator
from stoculus.errors import ServiceUnavailable

NOWHERE = "http://127.0.0.1:1"
REMARK = "The service historical-option at http://127.0.0.1:1 does not answer: refused. Start it."
METRICS = """# HELP stoculus_service_away 1: the service does not answer
stoculus_service_away{service="historical-stock"} 0.0
stoculus_service_away{service="historical-option"} 1.0
"""


def levels(server: Any) -> list[tuple[str, str, str]]:
    return [(line.level, line.part, line.found) for line in probe_coordinator(server.url)]


def test_a_service_that_is_away_fails_with_the_coordinator_s_remark(server: Any) -> None:
    server.answers["/readyz"] = (200, json.dumps({"ready": True, "remarks": [REMARK, "The lease is lost."]}))
    server.answers["/metrics"] = (200, METRICS)

    assert levels(server) == [
        ("ok", "coordinator", f"{server.url} is ready"),
        ("ok", "services", "historical-stock answers the coordinator"),
        ("failed", "services", REMARK),
        ("warning", "services", "The lease is lost."),
    ]


def test_a_coordinator_that_is_not_ready_says_what_it_lacks(server: Any) -> None:
    server.answers["/readyz"] = (503, json.dumps({"errors": [{"detail": "No broker."}, {"detail": "No store."}]}))

    assert levels(server) == [
        ("failed", "coordinator", "it is not ready: No broker."),
        ("failed", "coordinator", "it is not ready: No store."),
    ]


@pytest.mark.parametrize("answer", [(404, "<html>"), (200, "[]"), (200, "{}"), (503, "busy")])
def test_something_else_is_no_coordinator(server: Any, answer: tuple[int, str]) -> None:
    server.answers["/readyz"] = answer

    with pytest.raises(ServiceUnavailable, match="is no coordinator"):
        levels(server)


@pytest.mark.parametrize("url", [NOWHERE, "http://", "no url"])
def test_nobody_there_is_an_error(url: str) -> None:
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        list(probe_coordinator(url))


@pytest.mark.parametrize(("off_s", "level"), [(0, "ok"), (-30, "warning"), (30, "warning")])
def test_clocks_that_differ_are_told(server: Any, off_s: int, level: str) -> None:
    server.date = formatdate(time.time() + off_s, usegmt=True)

    [line] = probe_clock([NOWHERE, server.url])

    assert line.level == level


def test_without_a_clock_to_compare_with_that_is_noted(server: Any) -> None:
    [line] = probe_clock([NOWHERE, server.url])

    assert line.level == "note"


@pytest.mark.parametrize(
    ("status", "api_key", "level"), [(401, None, "failed"), (403, "k", "warning"), (200, "k", "ok"), (200, None, None)]
)
def test_whether_the_coordinator_lets_this_shell_in_is_told(
    server: Any, status: int, api_key: str | None, level: str | None
) -> None:
    server.answers["/readyz"] = (200, json.dumps({"ready": True}))
    server.answers["/v1/backtests?limit=1"] = (status, json.dumps({"detail": "So it is.", "remedy": "Send one."}))

    lines = probe_coordinator(server.url, SecretStr(api_key) if api_key else None)

    assert [line.level for line in lines if line.part == "access"] == ([level] if level else [])
