import hashlib
from pathlib import Path
from typing import Any

import pytest

from stoculus.errors import VendorSilent, VendorUnreachable
from tests.unit.theta_client.conftest import answer, hang, ok
from theta_client.doctor import Line, probe_terminal

NOWHERE = "http://127.0.0.1:1"
FOLDER = Path("/nowhere")


def found(terminal: Any, stream_url: str | None = None, folder: Path = FOLDER, sha256: str | None = None) -> list[Line]:
    """The terminal's REST API and its stream on one port."""
    stream_url = stream_url or terminal.url.replace("http", "ws") + "/v1/events"
    return list(probe_terminal(terminal.url, stream_url, "value", 0.5, "shared", folder, sha256))


def test_a_terminal_that_is_connected_is_well(terminal: Any) -> None:
    terminal.plays(ok(b"CONNECTED\n"), answer(404, b""))

    lines = found(terminal)

    assert [line.level for line in lines] == ["ok", "ok", "note", "ok"]
    assert lines[0].found == f"{terminal.url} answers, history is CONNECTED"
    assert lines[2].found == "mode shared, and no jar in /nowhere here: it is run elsewhere"
    assert lines[3].found.startswith("tier value by STOCULUS_THETA_TIER here: 2 requests at once")
    assert [path for path, _ in terminal.asked] == ["/v3/terminal/fpss/status", "/__clock"]


@pytest.mark.parametrize("word", ["UNVERIFIED", "DISCONNECTED", "ERROR", "<html>"])
def test_a_terminal_without_its_servers_hinders_work(terminal: Any, word: str) -> None:
    terminal.status = word
    terminal.plays(ok(b"CONNECTED"))

    line = found(terminal)[0]

    assert (line.level, bool(line.remedy)) == ("failed", True)
    assert repr(word) in line.found


@pytest.mark.parametrize(
    ("word", "level"), [("CONNECTED", "ok"), ("DISCONNECTED", "note"), ("UNVERIFIED", "warning"), ("ERROR", "warning")]
)
def test_a_stream_that_nobody_has_subscribed_to_yet_is_a_note(terminal: Any, word: str, level: str) -> None:
    terminal.plays(ok(word.encode()), answer(404, b""))

    assert found(terminal)[1].level == level


def test_a_stream_that_does_not_tell_its_status_is_a_note(terminal: Any) -> None:
    terminal.plays(answer(404, b"no such path"), answer(404, b""))

    assert found(terminal)[1].level == "note"


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/v1/events", "ws://nowhere.invalid/", "127.0.0.1:25520", "ws://[::1"])
def test_a_stream_that_nobody_listens_for_is_a_warning(terminal: Any, url: str) -> None:
    terminal.plays(answer(404, b""))

    line = found(terminal, url)[1]

    assert (line.level, "STOCULUS_THETA_STREAM_URL" in line.remedy) == ("warning", True)


def test_a_simulator_is_told_from_a_terminal(terminal: Any) -> None:
    terminal.plays(ok(b"DISCONNECTED"), ok(b"{}"))

    assert found(terminal)[2].found == "it is the simulator: no jar, no account"


@pytest.mark.parametrize("url", [NOWHERE, "http://[::1", "foo"])
def test_nobody_there_is_an_error(url: str) -> None:
    with pytest.raises(VendorUnreachable):
        list(probe_terminal(url, "ws://127.0.0.1:1", "pro", 0.5, "shared", FOLDER, None))


def test_a_terminal_that_hangs_is_an_error(terminal: Any) -> None:
    terminal.plays(hang)
    with pytest.raises(VendorSilent):
        list(probe_terminal(f"{terminal.url}/behind", "ws://127.0.0.1:1", "pro", 0.1, "shared", FOLDER, None))


@pytest.mark.parametrize(("wanted", "level"), [("", "ok"), ("0" * 64, "warning"), (None, "note")])
def test_the_jar_in_the_folder_is_told_with_its_hash(
    terminal: Any, tmp_path: Path, wanted: str | None, level: str
) -> None:
    terminal.plays(ok(b"CONNECTED"))
    (tmp_path / "ThetaTerminalv3.jar").write_bytes(b"jar")
    sha256 = hashlib.sha256(b"jar").hexdigest()

    line = found(terminal, folder=tmp_path, sha256=sha256 if wanted == "" else wanted)[0]

    assert (line.level, sha256 in line.found, str(tmp_path) in line.found) == (level, True, True)


def test_the_jar_is_told_though_the_terminal_is_away(tmp_path: Path) -> None:
    (tmp_path / "ThetaTerminalv3.jar").write_bytes(b"jar")
    lines = probe_terminal(NOWHERE, "ws://127.0.0.1:1", "pro", 0.5, "embedded", tmp_path, None)

    assert "embedded" in next(lines).found
    with pytest.raises(VendorUnreachable):
        next(lines)
