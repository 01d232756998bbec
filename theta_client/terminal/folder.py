"""The terminal's folder: credentials, config.toml, and who runs a terminal from it."""

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from stoculus.errors import SettingsInvalid
from theta_client.terminal.setup import Setup

_ORPHAN_S: Final = 5.0
# All that a config file of the vendor's is known to hold; what is not there may be no default of the build.
_CONFIG: Final = """\
# Written by Stoculus at each start.
host = "127.0.0.1"
port = {rest_port}
log_directory = {logs}

[mdds_server]
host = "mdds-01.thetadata.us"
port = 443
tls = true

[fpss]
enable = {has_stream}
reconnect_wait = 1000
fpss_queue_depth = 1000000
ws_port = {stream_port}
fpss_region = "fpss_nj_hosts"
fpss_nj_hosts = "nj-a.thetadata.us:20000,nj-a.thetadata.us:20001,nj-b.thetadata.us:20000,nj-b.thetadata.us:20001"
fpss_stage_hosts = "nj-a.thetadata.us:20100,test-server.thetadata.us:20100,test-server.thetadata.us:20101"
fpss_dev_hosts = "nj-a.thetadata.us:20200,test-server.thetadata.us:20200,test-server.thetadata.us:20201"
"""


def make_folder(folder: Path) -> None:
    """Raise SettingsInvalid where it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refused = not os.access(folder, os.W_OK | os.X_OK)
        why = "it may not be written to"
    except OSError as error:
        refused, why = True, error.strerror or str(error)
    if refused:
        raise SettingsInvalid(
            f"The terminal's folder {folder} is of no use: {why}.",
            remedy="Name a folder in STOCULUS_TERMINAL_DIR that this user may write to; in a container, a volume.",
        )


def write_files(setup: Setup) -> None:
    """The credentials, which nobody else may read, and the config. Raise OSError."""
    setup.logs.mkdir(exist_ok=True)
    # Removed first: an older file might be open to others, or a link to somewhere else.
    setup.credentials.unlink(missing_ok=True)
    with os.fdopen(os.open(setup.credentials, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{setup.email}\n{setup.password}\n")
    setup.config.write_text(
        _CONFIG.format(
            rest_port=setup.rest_port,
            stream_port=setup.stream_port,
            has_stream=str(setup.has_stream).lower(),
            logs=json.dumps(str(setup.logs)),
        )
    )


class Lock:
    """Held by whoever runs a terminal from a folder, and by the terminal itself, which inherits `fileno`.

    So nobody starts a second one, not even beside one whose supervisor was killed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "terminal.lock"
        self._record = folder / "terminal.json"
        self._file: int | None = None

    @property
    def fileno(self) -> int:
        """Of the lock that is held."""
        assert self._file is not None  # noqa: S101 - the caller holds it
        return self._file

    def acquire(self) -> bool:
        """Whether it is held now. A terminal that was left behind by a supervisor that is dead is ended first."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(2):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._file = file
                return True
            self._end_orphan()
        os.close(file)
        return False

    def release(self) -> None:
        if self._file is not None:
            self._record.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def note(self, pid: int) -> None:
        """Write down which terminal is ours."""
        known = {"terminal": _identity(pid), "supervisor": _identity(os.getpid())}
        with suppress(OSError):  # without it only an orphan is not found
            self._record.write_text(json.dumps(known))

    def _end_orphan(self) -> None:
        try:
            known = json.loads(self._record.read_text())
            terminal, supervisor = known["terminal"], known["supervisor"]
            if not _lives(terminal) or _lives(supervisor):
                return
            pid = int(terminal["pid"])
        except (OSError, ValueError, TypeError, KeyError):
            return
        for way in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(pid, way)  # it leads a group of its own
            until = time.monotonic() + _ORPHAN_S
            while _lives(terminal) and time.monotonic() < until:
                time.sleep(0.02)


def _identity(pid: int) -> dict[str, float]:
    """Tells a process from a later one with the same pid."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid, "created": 0.0}


def _lives(known: dict[str, float]) -> bool:
    try:
        process = psutil.Process(int(known["pid"]))
        return process.create_time() == known["created"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
