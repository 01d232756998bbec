"""Whether a port of 127.0.0.1 is free, and who has it if not."""

import socket

import psutil

from stoculus.errors import StackFailed


def require_free(port: int, name: str) -> None:
    """Raise StackFailed, with who has it where that can be known, if `port` is taken; `name` is who wants it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackFailed(
                f"Port {port} of {name} is in use by {_owner(port)}.",
                remedy="Stop that program, or set another port: `stoculus local --help` names the settings.",
            ) from error


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass  # the system does not tell us about others' processes
    return f"another program (`lsof -i :{port}` as root names it)"
