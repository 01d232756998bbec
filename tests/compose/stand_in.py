"""A terminal that answers everything, and says what it was asked: what gets through to it is the proxy's doing.

REST on 127.0.0.1:25503 (`…/slow` takes a second), a WebSocket on 25520 that sends back what it gets, /readyz on 8104.
"""

import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
under_way = {"now": 0, "peak": 0}


class Rest(BaseHTTPRequestHandler):
    """Answers with the request."""

    def do_GET(self) -> None:
        """Also what a terminal would obey."""
        with lock:
            under_way["now"] += 1
            under_way["peak"] = max(under_way["peak"], under_way["now"])
        if "slow" in self.path:
            time.sleep(1)
        body = json.dumps(
            {
                "path": self.path,
                "peer": self.client_address[0],
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "peak": under_way["peak"],
            }
        ).encode()
        with lock:
            under_way["now"] -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Echo(socketserver.StreamRequestHandler):
    """Takes the upgrade, then sends back what comes."""

    def handle(self) -> None:
        """One connection."""
        while self.rfile.readline().strip():
            pass
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        while data := self.connection.recv(1024):
            self.wfile.write(data)


def main() -> None:
    """Serve on all three until the end."""
    servers = [
        ThreadingHTTPServer(("127.0.0.1", 25503), Rest),
        ThreadingHTTPServer(("0.0.0.0", 8104), Rest),
        socketserver.ThreadingTCPServer(("127.0.0.1", 25520), Echo),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
