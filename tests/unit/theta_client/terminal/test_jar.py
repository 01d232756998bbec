import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stoculus.errors import SettingsInvalid, VendorUnreachable
from theta_client.terminal.jar import bring_jar, check_jar, check_java
from theta_client.terminal.setup import Setup

JAR, OTHER = b"the vendor's jar", b"another jar"
SHA256, OTHER_SHA256 = (hashlib.sha256(one).hexdigest() for one in (JAR, OTHER))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where the jar may be fetched from."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "vendor.jar").write_bytes(JAR)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "www")) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/vendor.jar"
        server.shutdown()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    jar = tmp_path / "mounted.jar"
    jar.write_bytes(JAR)
    return jar


def bring(tmp_path: Path, **changes: Any) -> tuple[Setup, list[str]]:
    folder = tmp_path / "terminal"
    folder.mkdir(exist_ok=True)
    setup = Setup(folder, "e", "p", **({"sha256": SHA256} | changes))
    said: list[str] = []
    bring_jar(setup, said.append)
    return setup, said


def test_a_mounted_jar_is_copied_into_the_folder_once(tmp_path: Path, mounted: Path) -> None:
    setup, said = bring(tmp_path, jar=mounted)
    assert (setup.own_jar.read_bytes(), said) == (JAR, [])
    before = setup.own_jar.stat()
    bring(tmp_path, jar=mounted)

    assert setup.own_jar.stat() == before


def test_a_new_mounted_jar_takes_the_place_of_the_old_one(tmp_path: Path, mounted: Path) -> None:
    bring(tmp_path, jar=mounted)
    mounted.write_bytes(OTHER)
    setup, _ = bring(tmp_path, jar=mounted, sha256=OTHER_SHA256)

    assert setup.own_jar.read_bytes() == OTHER


def test_a_wrong_jar_is_refused_with_both_hashes(tmp_path: Path, mounted: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        bring(tmp_path, jar=mounted, sha256=OTHER_SHA256)

    assert SHA256 in caught.value.message
    assert OTHER_SHA256 in caught.value.message
    assert not (tmp_path / "terminal" / "ThetaTerminalv3.jar").exists()


def test_a_jar_without_a_wanted_hash_is_refused_and_its_own_is_told(tmp_path: Path, mounted: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        bring(tmp_path, jar=mounted, sha256=None)

    assert f"STOCULUS_TERMINAL_SHA256={SHA256}" in caught.value.remedy


def test_a_jar_that_is_not_there_is_told_with_what_to_set(tmp_path: Path) -> None:
    for changes in ({}, {"jar": tmp_path / "none.jar"}):
        with pytest.raises(SettingsInvalid, match="There is no jar") as caught:
            bring(tmp_path, **changes)
        assert "STOCULUS_TERMINAL_JAR" in caught.value.remedy


def test_nothing_is_fetched_unless_it_is_asked_for_and_then_once(tmp_path: Path, url: str) -> None:
    setup, said = bring(tmp_path, url=url)
    assert setup.own_jar.read_bytes() == JAR
    assert url in said[0]

    assert bring(tmp_path, url=url)[1] == []
    assert bring(tmp_path, url=None)[1] == []


def test_a_fetched_jar_with_another_hash_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsInvalid, match=SHA256):
        bring(tmp_path, url=url, sha256=OTHER_SHA256)


def test_the_hash_of_a_fetched_jar_is_told_where_none_is_set(tmp_path: Path, url: str) -> None:
    for _ in range(2):
        with pytest.raises(SettingsInvalid) as caught:
            bring(tmp_path, url=url, sha256=None)
        assert SHA256 in caught.value.remedy


@pytest.mark.parametrize("path", ["/none.jar", ":1/vendor.jar"])
def test_a_jar_that_cannot_be_fetched_may_come_later(tmp_path: Path, url: str, path: str) -> None:
    gone = url.replace("/vendor.jar", path) if path.startswith("/") else "http://127.0.0.1:1/vendor.jar"
    with pytest.raises(VendorUnreachable, match="cannot be fetched"):
        bring(tmp_path, url=gone)
    assert list((tmp_path / "terminal").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, mounted: Path) -> None:
    (tmp_path / "terminal").mkdir()
    (tmp_path / "terminal" / "ThetaTerminalv3.jar").mkdir()
    with pytest.raises(SettingsInvalid, match="cannot be written"):
        bring(tmp_path, jar=mounted)


def test_a_jar_is_checked_where_it_is(mounted: Path) -> None:
    check_jar(mounted, SHA256)
    mounted.write_bytes(OTHER)
    with pytest.raises(SettingsInvalid):
        check_jar(mounted, SHA256)


@pytest.mark.parametrize(
    ("said", "found"),
    [('openjdk version "17.0.15" 2025-04-15', "Java 17"), ('java version "1.8.0_402"', "Java 8"), ("?", "unknown")],
)
def test_a_java_that_is_too_old_is_refused(tmp_path: Path, said: str, found: str) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    with pytest.raises(SettingsInvalid, match=found) as caught:
        check_java(Setup(tmp_path, "e", "p", None, java=str(java)))
    assert "21" in caught.value.remedy


def test_a_java_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be run"):
        check_java(Setup(tmp_path, "e", "p", None, java=str(tmp_path / "none")))
