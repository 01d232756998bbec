"""The settings of live topics."""

import pytest

from coordinator.streams.wiring import topic_config


@pytest.mark.parametrize(
    ("retention_bytes", "told"),
    [
        (-1, ("-1", None)),
        (0, ("0", str(2**20))),
        (2**28, (str(2**28), str(2**26))),
        (2**40, (str(2**40), str(2**30))),
    ],
)
def test_a_size_is_kept_by_segments_that_are_smaller(retention_bytes: int, told: tuple[str, str | None]) -> None:
    config = topic_config(retention_bytes)

    assert (config["retention.bytes"], config.get("segment.bytes")) == told
    assert config["retention.ms"] == "-1"
