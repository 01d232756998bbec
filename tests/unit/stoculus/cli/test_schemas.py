import json
from pathlib import Path

from stoculus.cli.schemas import _diff
from stoculus.records import released
from stoculus.records.catalog import record_type


def test_a_change_is_shown_line_by_line() -> None:
    quote = record_type("StockQuote")
    older = json.loads(quote.avro)
    older["fields"] = [field for field in older["fields"] if field["name"] != "bid"]

    lines = _diff(quote, [{"fingerprint": "x", "schema": older}])

    assert lines[:2] == ["--- StockQuote as released", "+++ StockQuote.avsc"]
    assert '+   "name": "bid",' in lines


def test_a_release_is_appended_once(tmp_path: Path) -> None:
    path = tmp_path / "RELEASED.json"

    first = released.release(path)

    assert "StockQuote" in first
    assert released.release(path) == []
