"""What guards a registry: TLS and a login, in front of the real one."""

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx2

from tests.integration.security.broker import PASSWORD
from tests.integration.security.certificates import HOST, Certificates

WRITER: Final = "release"
READER: Final = "research"


@contextmanager
def guarded(url: str, pem: Certificates) -> Iterator[str]:
    """A URL before the registry at a URL: WRITER may do all, READER may look up, others nothing."""
    logins = {_basic(user): user for user in (WRITER, READER)}

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            user = logins.get(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            writes = self.command == "PUT" or self.path.endswith("/versions")
            if user is None:
                self._answer(401, b"<html>who?</html>")
            elif user == READER and writes:
                self._answer(403, b'{"error_code": 40301, "message": "no right"}')
            else:
                kind = {"Content-Type": self.headers.get("Content-Type", "application/json")}
                answer = client.request(self.command, url + self.path, content=body, headers=kind)
                self._answer(answer.status_code, answer.content)

        do_POST = do_PUT = do_GET  # noqa: N815

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.server)
    with httpx2.Client(trust_env=False, timeout=30) as client, ThreadingHTTPServer((HOST, 0), Front) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, name="guard")
        thread.start()
        try:
            yield f"https://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{PASSWORD.format(user=user)}".encode()).decode()
