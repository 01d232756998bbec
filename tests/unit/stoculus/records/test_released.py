import json
from pathlib import Path

import fastavro
import pytest

from stoculus.records import released
from stoculus.records.catalog import RecordType, fingerprint, record_types

CHECKOUT = Path(__file__).resolve().parents[4]


def test_each_schema_is_released_as_it_is() -> None:
    """A changed .avsc is a new version: `stoculus schemas release` appends it."""
    assert released.unreleased(released.load()) == []


def test_released_versions_are_the_avsc_files_and_their_fingerprints() -> None:
    versions = released.load()

    assert set(versions) == {path.stem for path in (CHECKOUT / "schemas").glob("*.avsc")}
    for name, history in versions.items():
        assert history[-1]["schema"] == json.loads((CHECKOUT / "schemas" / f"{name}.avsc").read_text())
        assert [version["fingerprint"] for version in history] == [fingerprint(each["schema"]) for each in history]


@pytest.mark.parametrize("record", record_types(), ids=lambda record: record.name)
def test_a_released_schema_is_avro(record: RecordType) -> None:
    assert fastavro.parse_schema(json.loads(record.avro))


def test_a_change_is_unreleased_until_it_is_appended(tmp_path: Path) -> None:
    versions = released.load()
    old = dict(versions["StockTrade"][-1]["schema"], doc="older")
    versions["StockTrade"] = [{"fingerprint": fingerprint(old), "schema": old}]
    del versions["StockEod"]
    path = tmp_path / "RELEASED.json"
    path.write_text(json.dumps(versions))

    assert released.unreleased(versions) == ["StockEod", "StockTrade"]
    assert released.release(path) == ["StockEod", "StockTrade"]
    after = json.loads(path.read_text())
    assert [version["schema"] for version in after["StockTrade"]] == [old, released.load()["StockTrade"][-1]["schema"]]
    assert released.unreleased(after) == []
    assert released.release(path) == []
