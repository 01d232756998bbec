import pytest

from theta_client.terminal.marks import Mark, mark_of


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("2026-11-20 09:30:00 INFO Starting server at http://0.0.0.0:25503", Mark.SERVING),
        ("Downloading terminal 202611141 (41 MB)", Mark.UPDATING),
        ("[FPSS] Disconnected: INVALID_CREDENTIALS", Mark.REFUSED),
        ("Your password might contain invalid characters", Mark.REFUSED),
        ("[FPSS] Disconnected: ACCOUNT_ALREADY_CONNECTED", Mark.TAKEN),
        ("UNAUTHENTICATED: Invalid session ID. This can occur if more than one terminal is running.", Mark.TAKEN),
        ("GET /v3/stock/history/eod 200", None),
        ("", None),
    ],
)
def test_a_line_is_known_by_its_words(line: str, mark: Mark | None) -> None:
    assert mark_of(line) is mark
