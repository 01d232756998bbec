from typing import Any

import pytest

from stoculus.connections import Registry
from stoculus.doctor.registry import probe_registry
from stoculus.errors import RegistryUnavailable


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1", "nowhere"])
def test_nobody_there_is_an_error(url: str) -> None:
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        list(probe_registry(Registry(url)))


@pytest.mark.parametrize("answer", [(404, "Not found"), (200, "<html>"), (500, "[]")])
def test_something_else_is_no_registry(server: Any, answer: tuple[int, str]) -> None:
    server.answers["/subjects"] = answer

    with pytest.raises(RegistryUnavailable, match="is no registry"):
        list(probe_registry(Registry(server.url)))
