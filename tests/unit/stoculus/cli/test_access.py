"""`stoculus key`, against a canned coordinator."""

import json
from typing import Any

import pytest

from tests.unit.stoculus.cli.conftest import Canned, Run

KEY: dict[str, Any] = {
    "key_id": "3f2a",
    "name": "research",
    "scopes": ["backtests:read", "streams:read"],
    "shown": "stoc_ab12****",
    "state": "active",
    "created_at": "2024-01-10T12:00:00Z",
    "expires_at": "2024-04-09T12:00:00Z",
    "last_used_on": None,
}
MADE = KEY | {"key": "stoc_ab12cdef"}


def test_a_made_key_stands_alone_on_standard_output(server: Canned, stoculus: Run) -> None:
    server.json(MADE, 201)

    code, out, err = stoculus("key", "create", "research", "--scopes", "backtests:read, streams:read", "--ttl", "90d")

    assert (code, out) == (0, "stoc_ab12cdef\n")
    assert "id 3f2a" in err
    assert "until 2024-04-09 12:00:00.000 UTC" in err
    assert "not shown again" in err
    assert json.loads(server.asked[0][2]) == {
        "name": "research",
        "scopes": ["backtests:read", "streams:read"],
        "ttl": "90d",
    }


def test_keys_are_listed_by_their_beginning(server: Canned, stoculus: Run) -> None:
    server.json({"keys": [KEY, KEY | {"expires_at": None, "last_used_on": "2024-01-11", "state": "ended"}]})

    code, out, _ = stoculus("key", "list")

    head, _, first, second = out.splitlines()
    assert code == 0
    assert head.split() == ["id", "name", "key", "scopes", "state", "last", "used", "ends"]
    assert "stoc_ab12****" in first
    assert "never" in first
    assert second.split()[-3:] == ["ended", "2024-01-11", "never"]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("rotate", "3f2a"), ("POST", "/v1/keys/3f2a:rotate", "")),
        (("rotate", "3f2a", "--overlap", "0s"), ("POST", "/v1/keys/3f2a:rotate", '{"overlap":"0s"}')),
        (("delete", "3f2a"), ("DELETE", "/v1/keys/3f2a", "")),
    ],
)
def test_what_is_asked_of_the_coordinator(
    server: Canned, stoculus: Run, arguments: tuple[str, ...], asked: tuple[str, str, str]
) -> None:
    server.json(MADE)

    assert stoculus("key", *arguments)[0] == 0
    assert server.asked == [asked]


@pytest.mark.parametrize(
    "arguments", [("create", "a", "--scopes", "admin"), ("list",), ("rotate", "3f2a"), ("delete", "3f2a")]
)
def test_each_prints_what_the_coordinator_says_as_json(
    server: Canned, stoculus: Run, arguments: tuple[str, ...]
) -> None:
    server.json(MADE | {"keys": [KEY]})

    code, out, err = stoculus("key", *arguments, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out) == ([KEY] if arguments == ("list",) else MADE | {"keys": [KEY]})


def test_who_may_not_is_told_what_to_do(server: Canned, stoculus: Run) -> None:
    server.problem(403, "forbidden", detail="The key a lacks the scope admin.", remedy="Use a key that has it.")

    code, out, err = stoculus("key", "list")

    assert (code, out) == (1, "")
    assert "lacks the scope admin" in err
    assert "Use a key that has it." in err
