"""A canned coordinator on a real socket."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stoculus.cli.main import main

Run = Callable[..., tuple[int, str, str]]


class Canned(ThreadingHTTPServer):
    """Answers each request with the next of `answers`: status, media type, body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, str, str]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.authorizations: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def json(self, body: Any, status: int = 200) -> None:
        self.answers.append((status, "application/json", json.dumps(body)))

    def problem(self, status: int, code: str, **more: Any) -> None:
        body = {"type": f"urn:stoculus:error:{code}", "title": code, "status": status, "request_id": "r-1", **more}
        self.answers.append((status, "application/problem+json", json.dumps(body)))

    def events(self, *events: str) -> None:
        self.answers.append((200, "text/event-stream", "".join(events)))


class _Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Canned)
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.server.asked.append((self.command, self.path, body))
        self.server.authorizations.append(self.headers.get("authorization"))
        status, media_type, text = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Canned]:
    with Canned() as canned:
        thread = threading.Thread(target=canned.serve_forever, args=(0.01,))
        thread.start()
        yield canned
        canned.shutdown()
        thread.join()


@pytest.fixture
def stoculus(server: Canned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stoculus(…)` with the canned coordinator: exit code, stdout, stderr."""
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", server.url)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stoculus", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run
