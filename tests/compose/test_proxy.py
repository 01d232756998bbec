"""The proxy before the terminal: data paths only, the account's slots, a lane for live healing, one address."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compose.suite import Suite, until

LIVE: Final = "stoculus-live-stream/1"
REFUSED: Final = [
    "/v3/terminal/shutdown",
    "/v3/stock/../terminal/shutdown",
    "/v3/stock/%2e%2e/terminal/shutdown",
    "/v3/stock/..%2fterminal/shutdown",
    "/v3/stock/x/..;/../terminal/shutdown",
    "/v3/./terminal/shutdown",
    "//v3/terminal/shutdown",
    "/v3//terminal/shutdown",
    "/V3/TERMINAL/SHUTDOWN",
    "http://theta:25500/v3/terminal/shutdown",
    "/v3/terminal/mdds/status/../../shutdown",
    "/v3/stock",
    "/v2/hist/stock/trade",
    "/mcp",
    "/alive",
    "/",
]
ASK: Final = """
import socket, sys, threading
port, times, head = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()
def ask():
    with socket.create_connection(("theta", port), 30) as connection:
        connection.sendall(head)
        answer = b""
        while more := connection.recv(65536):
            answer += more
            if head.endswith(b"frame") and answer.endswith(b"frame"):
                break
        line = answer.decode().replace("\\r\\n", "\\n").replace("\\n", "\\\\n")
        sys.stdout.write(line + "\\n")
threads = [threading.Thread(target=ask) for _ in range(times)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


class Proxy:
    """The proxy, asked from a container of the network."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite

    def ask(
        self, path: str, *, method: str = "GET", agent: str = "curl", port: int = 25500, times: int = 1
    ) -> list[str]:
        """The answers to that many requests at once."""
        head = (
            f"{method} {path} HTTP/1.1\\r\\nHost: theta\\r\\nUser-Agent: {agent}\\r\\nX-Forwarded-For: 1.2.3.4\\r\\n"
            "Forwarded: for=1.2.3.4\\r\\nConnection: close\\r\\n\\r\\n"
        )
        return self.suite.exec(
            "theta-terminal", "python", "-c", ASK, str(port), str(times), head, check=False
        ).splitlines()

    def status(self, path: str, **how: Any) -> int:
        [answer] = self.ask(path, **how)
        return int(answer.split()[1])

    def seen(self, path: str, **how: Any) -> dict[str, Any]:
        """What the terminal saw of a request."""
        [answer] = self.ask(path, **how)
        return dict(json.loads(answer.split("\\n\\n", 1)[1]))


@pytest.fixture(scope="module")
def proxy(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    secret: Path = tmp_path_factory.mktemp("secrets") / "nothing"
    secret.write_text("nothing")
    files = {"THETA_EMAIL_FILE": str(secret), "THETA_PASSWORD_FILE": str(secret)}
    suite = Suite("default", "tests/compose/stand-in.yml", project="stoculus-test-theta", **files)
    try:
        suite.compose("up", "--build", "--wait", "theta-terminal", "theta-proxy")
        yield Proxy(suite)
    finally:
        suite.down()
    assert suite.leftovers() == []


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_but_data_is_reached(proxy: Proxy, path: str) -> None:
    assert proxy.status(path) in (400, 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "CONNECT", "OPTIONS"])
def test_data_can_only_be_read(proxy: Proxy, method: str) -> None:
    assert proxy.status("/v3/stock/history/trade", method=method) in (400, 403)


@pytest.mark.parametrize(
    "path", ["/v3/terminal/shutdown", "/v3/stock/history/trade", "/v1/events/../../v3/terminal/shutdown"]
)
def test_the_stream_s_port_leads_to_the_stream_only(proxy: Proxy, path: str) -> None:
    assert proxy.status(path, port=25501) == 403


@pytest.mark.parametrize(
    "path",
    [
        "/v3/stock/history/trade?symbol=BRK.B&start_date=20240102",
        "/v3/option/list/contracts/quote",
        "/v3/index/history/price",
        "/v3/calendar/on_date",
        "/v3/terminal/mdds/status",
        "/v3/terminal/fpss/status",
    ],
)
def test_the_terminal_sees_data_requests_from_one_address(proxy: Proxy, path: str) -> None:
    seen = proxy.seen(path)

    assert seen["path"] == path
    assert seen["peer"] == "127.0.0.1"
    assert seen["headers"]["host"] == "127.0.0.1:25503"
    assert not [name for name in seen["headers"] if "forwarded" in name.lower()]


def test_history_waits_for_the_account_s_slots_while_live_healing_passes(proxy: Proxy) -> None:
    answers = proxy.ask("/v3/stock/history/slow", times=20)

    assert {answer.split()[1] for answer in answers} == {"200"}
    assert max(json.loads(answer.split("\\n\\n", 1)[1])["peak"] for answer in answers) == 6

    both = proxy.ask("/v3/stock/history/slow", agent=LIVE, times=6)

    assert {answer.split()[1] for answer in both} == {"200"}


def test_a_websocket_passes(proxy: Proxy) -> None:
    head = "GET /v1/events HTTP/1.1\\r\\nHost: theta\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
    head += "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\nframe"

    answer = proxy.suite.exec("theta-terminal", "python", "-c", ASK, "25501", "1", head)

    assert " 101 " in answer.split("\\n")[0]
    assert answer.strip().endswith("frame")


def test_it_follows_the_terminal_s_container_into_its_new_network(proxy: Proxy) -> None:
    proxy.suite.kill("theta-terminal")
    until(lambda: " 200 " in "".join(proxy.ask("/v3/terminal/mdds/status")), "the proxy has followed", 90)
    proxy.suite.heal()
