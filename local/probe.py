"""The readiness probe of programs that speak HTTP."""

from http.client import HTTPConnection, HTTPException


def http_ok(port: int, path: str) -> bool:
    """Whether 127.0.0.1 answers a GET with 200 within two seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)  # asked often: a client of httpx2 takes 25 ms to make
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
