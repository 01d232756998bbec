import pyarrow as pa
import pytest

from local.live_demo import _show_groups

BARS = pa.table({"symbol": ["AAPL"], "close": [1.5]})


@pytest.mark.parametrize(
    ("other", "agree", "mark"),
    [({"bars": BARS}, True, "✓"), ({"bars": BARS.slice(1)}, False, "✗"), ({}, False, "")],
)
def test_groups_agree_where_every_record_is_the_same(
    other: dict[str, pa.Table], agree: bool, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _show_groups({"bars": BARS}, other) is agree
    assert mark in capsys.readouterr().out
