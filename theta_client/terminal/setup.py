"""What a terminal is run with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

JAR: Final = "ThetaTerminalv3.jar"
HIDDEN: Final = "***"
_PASSED_ON: Final = ("PATH", "JAVA_HOME", "JDK_JAVA_OPTIONS", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Setup:
    """`folder` is the terminal's own: it writes beside its jar, and runs there.

    `jar`: a file that is copied into the folder; `url`: where it is fetched from, if it is not there. `sha256` is that
    of the only jar that is started. `environment` is this program's; of it the child gets no setting and no secret.
    """

    folder: Path
    email: str = field(repr=False)
    password: str = field(repr=False)
    sha256: str | None
    jar: Path | None = None
    url: str | None = None
    heap_mb: int = 2048
    java: str = "java"
    rest_port: int = 25503
    stream_port: int = 25520
    has_stream: bool = True
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def own_jar(self) -> Path:
        """The jar that is started."""
        return self.folder / JAR

    @property
    def credentials(self) -> Path:
        return self.folder / "creds.txt"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def rest_url(self) -> str:
        """Where the terminal answers."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def command(self) -> list[str]:
        """What starts it; without secrets, since everybody may see it."""
        options = [f"--creds-file={self.credentials}", f"--config={self.config}", f"--log-directory={self.logs}"]
        return [self.java, f"-Xmx{self.heap_mb}m", "-jar", str(self.own_jar), *options]

    @property
    def child_environment(self) -> dict[str, str]:
        """The child's. The launcher starts the real program as a Java of its own: that has heap and home from here."""
        passed_on = {name: self.environment[name] for name in _PASSED_ON if name in self.environment}
        given = passed_on.get("JDK_JAVA_OPTIONS", "")
        options = f'{given} -Xmx{self.heap_mb}m "-Duser.home={self.folder}"'.strip()
        return {"LANG": "C.UTF-8"} | passed_on | {"JDK_JAVA_OPTIONS": options, "HOME": str(self.folder)}

    def redacted(self, text: str) -> str:
        """A text of the terminal, without what is secret."""
        for secret in sorted({self.email, self.password}, key=len, reverse=True):
            for spelling in {secret, quote(secret, safe=""), _as_ascii(secret)}:
                text = text.replace(spelling, HIDDEN)
        return text


def _as_ascii(text: str) -> str:
    """As Java writes it where its locale has no such letters."""
    return text.encode("ascii", "replace").decode()
