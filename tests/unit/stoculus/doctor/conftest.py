"""Something that answers HTTP, by path."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Canned(ThreadingHTTPServer):
    """Answers a path with what `answers` has of it: status and body; else 404. `date`: the header of that name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, str]] = {}
        self.date: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Canned)
        status, text = self.server.answers.get(self.path, (404, "Not found"))
        self.send_response_only(status)
        if self.server.date is not None:
            self.send_header("date", self.server.date)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

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
