import hashlib
from pathlib import Path
from typing import Any

import pytest

from services.kit.terminal import supervisor_of, user_agent
from stoculus.errors import SettingsInvalid
from stoculus.settings import TerminalSettings

JAR = b"a jar"
SHA256 = hashlib.sha256(JAR).hexdigest()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"theta_email": None}, "STOCULUS_THETA_EMAIL is not set.*STOCULUS_THETA_EMAIL_FILE"),
        ({"theta_password": None}, "STOCULUS_THETA_PASSWORD is not set.*STOCULUS_THETA_PASSWORD_FILE"),
        ({"theta_password": "two\nlines"}, "STOCULUS_THETA_PASSWORD is of more than one line"),
        ({"terminal_jar": None}, "no jar.*STOCULUS_TERMINAL_JAR"),
        ({"terminal_jar": "/none.jar"}, "no jar at /none.jar"),
        ({"terminal_sha256": None}, f"STOCULUS_TERMINAL_SHA256={SHA256}"),
        ({"terminal_sha256": "0" * 64}, f"{SHA256}.*{'0' * 64}"),
        ({"terminal_java": "/none"}, "/none cannot be run.*STOCULUS_TERMINAL_JAVA"),
        ({"terminal_dir": "/proc/none"}, "/proc/none.*STOCULUS_TERMINAL_DIR"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_what_to_set(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    (tmp_path / "vendor.jar").write_bytes(JAR)
    given = {
        "theta_email": "quant@example.com",
        "theta_password": "hunter2",
        "terminal_dir": tmp_path / "terminal",
        "terminal_jar": tmp_path / "vendor.jar",
        "terminal_sha256": SHA256,
        **changes,
    }
    with pytest.raises(SettingsInvalid, match=told) as caught:
        supervisor_of(TerminalSettings.model_validate(given), "theta-terminal", stop_s=1)

    assert "hunter2" not in str(caught.value)


def test_a_program_introduces_itself_with_its_version() -> None:
    name, number = user_agent("live-stream").split("/")

    assert (name, number[0].isdigit()) == ("stoculus-live-stream", True)
