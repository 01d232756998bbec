"""Makes the jar that stands in for the vendor's: `python -m tests.standin.build <folder>` prints its sha256."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from local.java import JAVA, download

SOURCE = Path(__file__).with_name("StandIn.java")
POM = Path(__file__).with_name("pom.xml")
COMPILER_SHA256 = "c786468c65e906498e7e36ece4e0d04c6d3dd34c9a61b34a3a5b512801911a82"
NAME = "ThetaTerminalv3.jar"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same source, the same jar


def build(cache: Path) -> Path:
    """The jar, for Java 21 and newer; made once for each version of its source."""
    home = cache / hashlib.sha256(SOURCE.read_bytes() + POM.read_bytes()).hexdigest()[:16]
    if not (home / NAME).exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            made = Path(scratch) / NAME
            _pack(_compile(_compiler(Path(scratch)), Path(scratch) / "classes"), made)
            made.replace(home / NAME)
    return home / NAME


def _compiler(folder: Path) -> Path:
    download(POM, folder)
    jar = folder / "ecj.jar"
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    assert found == COMPILER_SHA256, found
    return jar


def _compile(compiler: Path, classes: Path) -> Path:
    main = "org.eclipse.jdt.internal.compiler.batch.Main"
    command = [JAVA, "-cp", str(compiler), main, "-21", "-proc:none", "-d", str(classes), str(SOURCE)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return classes


def _pack(classes: Path, jar: Path) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", LONG_AGO), f"Main-Class: {SOURCE.stem}\n")
        for path in sorted(classes.rglob("*.class")):
            archive.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix(), LONG_AGO), path.read_bytes())


if __name__ == "__main__":
    jar = build(Path(sys.argv[1]).absolute())
    sys.stdout.write(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar}\n")
