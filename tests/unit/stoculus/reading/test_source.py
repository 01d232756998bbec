import pytest

from stoculus.errors import InvalidRequest
from stoculus.reading.source import Request, open_feeds
from stoculus.settings import Connections

NOWHERE = Connections(kafka_bootstrap="127.0.0.1:1")


def test_a_backtest_may_be_named_by_its_number() -> None:
    assert Request.of(42) == Request.of("42") == Request("42")


def test_the_query_of_a_url_says_the_same_as_the_arguments() -> None:
    asked = Request.of("file:exports/42?every=1h&topics=a,b&start=2024-01-02&partial=true")

    assert asked == Request("file:exports/42", ["a", "b"], start="2024-01-02", every="1h", partial=True)


@pytest.mark.parametrize("source", ["42?until=2024-01-02", "42?source=x", "42?start=2024-01-03"])
def test_what_is_unknown_or_said_twice_is_refused(source: str) -> None:
    with pytest.raises(InvalidRequest, match="unknown, or said twice"):
        Request.of(source, start="2024-01-02")


@pytest.mark.parametrize("source", ["kafka:topic/x", "kafka:42", "http://127.0.0.1/42", "s3:bucket"])
def test_a_scheme_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(InvalidRequest, match="is no source"), open_feeds(Request.of(source), NOWHERE):
        pass
