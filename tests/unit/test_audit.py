import json
from typing import Any

import pytest

from tests.audit import LOCK, judge

FLAW = {"id": "PYSEC-2024-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": "Bad."}
GOOD: dict[str, Any] = {"name": "good", "version": "1.0", "vulns": []}
BAD: dict[str, Any] = {"name": "bad", "version": "2.0", "vulns": [FLAW]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_nothing_found_passes() -> None:
    assert judge(0, "", "No known vulnerabilities found") == (0, ["audited: no known vulnerability"])


def test_a_vulnerability_fails_and_is_named_with_what_mends_it() -> None:
    code, told = judge(1, report(GOOD, BAD), "Found 1 known vulnerability in 1 package")

    assert code == 1
    assert told == ["audited: 2 packages, 1 known vulnerabilities", "bad 2.0: PYSEC-2024-1, mended in 2.1, 3.0"]


def test_a_vulnerability_fails_even_where_others_are_unknown_or_pip_audit_says_nothing() -> None:
    code, told = judge(0, report(BAD, UNKNOWN), "")

    assert code == 1
    assert told[-1].startswith("not audited: 1 packages")


@pytest.mark.parametrize(
    "last_line",
    [
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(…): Failed to resolve",
        "requests.exceptions.ConnectTimeout: timed out",
        "requests.exceptions.ReadTimeout: timed out",
        "requests.exceptions.ProxyError: 403",
        "requests.exceptions.SSLError: self-signed certificate",
        "ERROR:pip_audit._cli:Tip: your network may be blocking this service.",
    ],
)
def test_where_no_service_can_be_reached_that_is_told_and_passes(last_line: str) -> None:
    code, (told,) = judge(1, "", f"Traceback …\n{last_line}\n")

    assert code == 0
    assert told.startswith("not audited: ")
    assert last_line in told


def test_a_service_that_knows_no_package_at_all_has_audited_nothing() -> None:
    code, (told,) = judge(0, report(UNKNOWN, UNKNOWN), "No known vulnerabilities found")

    assert code == 0
    assert told == "not audited: what answers as vulnerability service knows none of 2 packages"


def test_whatever_else_goes_wrong_fails_with_what_was_said() -> None:
    assert judge(2, "", "usage: pip-audit") == (2, ["usage: pip-audit"])
    assert judge(1, "", "ERROR: invalid requirements input") == (1, ["ERROR: invalid requirements input"])


def test_the_lock_names_no_address() -> None:
    assert "://" not in LOCK.read_text()
