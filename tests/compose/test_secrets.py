"""The real theta-terminal with a stand-in jar: the account's secrets are in its own file, and nowhere else."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pytest

from tests.compose.suite import Suite, run, until
from tests.conftest import CHECKOUT
from tests.standin.build import NAME, build

EMAIL: Final = "canary-4711@example.com"
PASSWORD: Final = "canary-0815-of-the-account"
CANARY: Final = "canary"
IMAGES: Final = ("stoculus-terminal", "stoculus-haproxy")
FOLDER: Final = "/var/lib/terminal"
BY_THE_ENGINE: Final = ("/run", "/jar", "/usr/sbin/docker-init")
"""Where it mounts what the compose file says."""
SEEN: Final = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; env"


@pytest.fixture(scope="module")
def account(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """theta-terminal and its proxy, the jar up. The jar tells its log the secrets."""
    folder: Path = tmp_path_factory.mktemp("account")
    folder.chmod(0o755)
    jar = build(CHECKOUT / "var" / "standin")
    (folder / NAME).write_bytes(jar.read_bytes())
    for name, secret in {"email": EMAIL, "password": PASSWORD}.items():
        (folder / name).write_text(f"{secret}\n")
    suite = Suite(
        "default",
        "tests/compose/jar.yml",
        project="stoculus-test-account",
        JAR_DIR=str(folder),
        THETA_EMAIL_FILE=str(folder / "email"),
        THETA_PASSWORD_FILE=str(folder / "password"),
        STOCULUS_TERMINAL_SHA256=hashlib.sha256(jar.read_bytes()).hexdigest(),
        STOCULUS_TERMINAL_HEAP_MB="96",
    )
    try:
        suite.compose("up", "--build", "--wait", "theta-terminal", "theta-proxy")
        suite.exec("theta-terminal", "sh", "-c", f"echo leaks=1 >{FOLDER}/standin.properties")
        suite.compose("restart", "theta-terminal")
        until(lambda: "Logging in as" in suite.compose("logs", "theta-terminal"), "the jar tells its secrets")
        suite.heal()
        yield suite
    finally:
        suite.down()
    assert suite.leftovers() == []


def test_the_jar_has_the_account_in_a_file_that_nobody_else_may_read(account: Suite) -> None:
    found = account.exec("theta-terminal", "sh", "-c", f"cat {FOLDER}/creds.txt; stat -c '%a %u' {FOLDER}/creds.txt")

    assert found.splitlines() == [EMAIL, PASSWORD, "600 10001"]


def test_the_secrets_are_in_no_log(account: Suite) -> None:
    assert CANARY not in account.compose("logs")


def test_the_secrets_are_in_no_environment_and_no_command_line(account: Suite) -> None:
    for service in ("theta-terminal", "theta-proxy"):
        shown = account.exec(service, "sh", "-c", SEEN)

        assert "PATH=" in shown
        assert CANARY not in shown


def test_docker_inspect_does_not_show_the_secrets(account: Suite) -> None:
    ids = [container["Id"] for container in account.containers().values()]

    assert len(ids) == 2
    assert CANARY not in run("docker", "inspect", *ids, *IMAGES).stdout


@pytest.mark.parametrize("image", IMAGES)
def test_the_secrets_are_in_no_layer_of_an_image(account: Suite, image: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    run("docker", "save", "--output", str(archive), image)

    with tarfile.open(archive) as saved:
        contents = [content for member in saved if (content := saved.extractfile(member)) is not None]
        assert len(contents) > 3
        assert not any(holds(content, EMAIL.encode()) or holds(content, PASSWORD.encode()) for content in contents)
    assert CANARY not in run("docker", "history", "--no-trunc", image).stdout


def holds(content: IO[bytes], text: bytes) -> bool:
    """Whether a text is in a file of any size."""
    content.seek(0)
    tail = b""
    while block := content.read(1 << 24):
        if text in tail + block:
            return True
        tail = block[-len(text) :]
    return False


def test_the_terminal_s_containers_write_into_their_volumes_only(account: Suite) -> None:
    for name, container in account.containers().items():
        written = [mount["Destination"] for mount in container["Mounts"] if mount["RW"] and mount["Type"] == "volume"]

        assert container["HostConfig"]["ReadonlyRootfs"], name
        assert container["Config"]["User"] == "10001:10001", name
        assert written == ([FOLDER] if name == "theta-terminal" else []), name
        changed = {line.split()[1] for line in run("docker", "diff", container["Id"]).stdout.splitlines()}
        assert {path for path in changed if not path.startswith(BY_THE_ENGINE)} <= {"/usr", "/usr/sbin"}, name


def test_nobody_shuts_the_terminal_down_through_the_proxy(account: Suite) -> None:
    ask = "import urllib.request; print(urllib.request.urlopen('http://theta:25500/v3/terminal/{}').status)"

    assert account.exec("theta-terminal", "python", "-c", ask.format("mdds/status")).strip() == "200"
    assert account.exec("theta-terminal", "python", "-c", ask.format("shutdown"), check=False).strip() == ""
    assert account.unhealthy() == {}


def test_it_ends_within_eight_seconds(account: Suite) -> None:
    identity = account.containers()["theta-terminal"]["Id"]
    run("docker", "stop", "--time", "8", identity)

    assert account.containers()["theta-terminal"]["State"]["ExitCode"] == 0
    run("docker", "start", identity)
