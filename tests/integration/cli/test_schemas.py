import json
from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_registering_again_changes_nothing(stoculus: Run) -> None:
    first = json.loads(stoculus("schemas", "register", "--json")[1])

    assert set(first) >= {"io.stoculus.StockQuote", "io.stoculus.StockOhlcv"}
    assert json.loads(stoculus("schemas", "register", "--json")[1]) == first
    assert "io.stoculus.StockEod" in stoculus("schemas", "register")[1]


def test_what_is_released_and_registered_passes(stoculus: Run) -> None:
    code, out, err = stoculus("schemas", "check")

    assert (code, err) == (0, "")
    assert "StockQuote" in out


def test_what_is_not_released_fails_with_the_change_and_what_to_do(
    stoculus: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoculus.records.released.load", dict)

    code, _, err = stoculus("schemas", "check")

    assert code == 1
    assert "+++ StockQuote.avsc" in err
    assert "`stoculus schemas release`" in err


def test_what_is_not_registered_fails_and_says_what_to_do(
    stoculus: Run, coordinator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCULUS_REGISTRY_URL", coordinator_url)  # answers every path of the registry with 404

    code, out, err = stoculus("schemas", "check", "--json")

    assert code == 1
    assert {row["registry_id"] for row in json.loads(out)} == {None}
    assert "`stoculus schemas register`" in err
