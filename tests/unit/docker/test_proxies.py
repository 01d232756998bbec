"""The proxies let data through, and nothing else."""

import re
from typing import Final

import pytest

from tests.conftest import CHECKOUT

FOLDER: Final = CHECKOUT / "docker" / "haproxy"
REFUSED: Final = (
    "/v3/terminal/shutdown",
    "/v3/stock/../terminal/shutdown",
    "/v3/stock/%2e%2e/terminal/shutdown",
    "//v3/stock/list",
    "/v3/stock",
    "/v3/stock/",
    "/v2/hist/stock/trade",
    "/mcp",
    "/",
)


def config(name: str) -> str:
    return (FOLDER / f"{name}.cfg").read_text()


def frontend(text: str, name: str) -> str:
    """The lines of a frontend."""
    return text.split(f"\nfrontend {name}\n")[1].split("\n\n")[0]


def pattern(text: str, acl: str) -> re.Pattern[str]:
    found = re.search(rf"acl {acl} path -m reg (\S+)", text)
    assert found
    return re.compile(found[1])


@pytest.mark.parametrize("path", ["/v3/stock/history/trade", "/v3/option/list/contracts/quote", "/v3/calendar/on_date"])
def test_the_terminal_s_data_paths_pass(path: str) -> None:
    assert pattern(config("theta"), "data").search(path)


@pytest.mark.parametrize("path", REFUSED)
def test_other_paths_of_the_terminal_do_not(path: str) -> None:
    assert not pattern(config("theta"), "data").search(path)


def test_the_terminal_s_own_paths_are_its_two_status_words() -> None:
    named = re.findall(r"/v3/terminal/\S+", config("theta"))

    assert named == ["/v3/terminal/mdds/status", "/v3/terminal/fpss/status"]


@pytest.mark.parametrize(("name", "front"), [("theta", "rest"), ("theta", "stream"), ("registry", "registry")])
def test_what_is_not_named_is_refused_before_it_is_sent_on(name: str, front: str) -> None:
    lines = [line.strip() for line in frontend(config(name), front).splitlines()]
    first_rule = next(line for line in lines if line.startswith("http-request"))

    assert first_rule.startswith("http-request deny deny_status 403 unless")


@pytest.mark.parametrize(
    "path", ["/subjects/io.stoculus.StockQuote/versions", "/schemas/ids/1", "/config", "/subjects"]
)
def test_the_registry_s_confluent_api_passes(path: str) -> None:
    assert pattern(config("registry"), "confluent").search(path)


@pytest.mark.parametrize("path", ["/apis/registry/v3/groups", "/ui", "/health", "/q/metrics", "/", "/subjects/../apis"])
def test_the_rest_of_apicurio_does_not(path: str) -> None:
    passes = pattern(config("registry"), "confluent").search(path)

    assert not passes or (".." in path and "url_dec -m sub .." in config("registry"))
