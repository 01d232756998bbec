"""Fetching by Maven; where it must fail, a script stands on the PATH in Maven's place."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from local.java import LOCK, Artifacts, fetch
from stoculus.errors import StackFailed


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script on the PATH as `mvn`; `$out` in it is the folder to fetch into."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def install(script: str) -> None:
        (folder / "mvn").write_text(f'#!/bin/sh\nfor out in "$@"; do :; done; out="${{out#-Dout=}}"\n{script}\n')
        (folder / "mvn").chmod(0o755)

    return install


def test_without_maven_the_error_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackFailed, match="Maven") as caught:
        fetch(tmp_path / "java", print)
    assert "apt-get install maven" in caught.value.remedy


def test_a_failing_maven_is_quoted(maven: Callable[[str], None], tmp_path: Path) -> None:
    maven("echo '[ERROR] Could not resolve kafka'; exit 1")
    with pytest.raises(StackFailed, match="Could not resolve kafka"):
        fetch(tmp_path / "java", print)
    assert list((tmp_path / "java").iterdir()) == []


def test_files_with_other_hashes_are_refused_and_not_kept(maven: Callable[[str], None], tmp_path: Path) -> None:
    name = LOCK.read_text().splitlines()[0].split()[1]
    maven(f'mkdir -p "$(dirname "$out/{name}")" && echo evil > "$out/{name}"')
    with pytest.raises(StackFailed, match=name):
        fetch(tmp_path / "java", print)
    assert list((tmp_path / "java").iterdir()) == []


def test_what_is_there_is_not_fetched_again(java_artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    said: list[str] = []
    assert fetch(java_artifacts.kafka.parents[1], said.append) == java_artifacts
    assert said == []
    assert java_artifacts.registry.is_file()


def test_the_jars_are_the_locked_ones(java_artifacts: Artifacts) -> None:
    home = java_artifacts.kafka.parent
    locked = [line.split() for line in LOCK.read_text().splitlines() if "kafka/" in line]
    assert [digest for digest, _ in locked] == [
        hashlib.sha256((home / name).read_bytes()).hexdigest() for _, name in locked
    ]
