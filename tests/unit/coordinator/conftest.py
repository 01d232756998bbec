"""A server that answers as a test wants."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Answers:
    """A server that gives one answer to everything."""

    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    request_ids: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            answers.asked.append((self.command, self.path, self.rfile.read(length)))
            answers.request_ids.append(self.headers.get("x-request-id"))
            self.send_response(answers.status)
            self.send_header("content-length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield answers
        server.shutdown()
        thread.join()


def problem(code: str, **more: str) -> bytes:
    return json.dumps({"type": f"urn:stoculus:error:{code}", "detail": "Told.", **more}).encode()
