"""Rules of the house that no linter knows."""

import inspect
import re
from pathlib import Path

import pytest

import stoculus.errors
from stoculus.errors import StoculusError, Terminal, Transient

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("stoculus", "theta_client", "services", "coordinator", "simulator", "local")
LONGEST_MODULE_LINES = 400
CLASSES = [value for _, value in inspect.getmembers(stoculus.errors, inspect.isclass) if issubclass(value, Exception)]
LEAVES = [value for value in CLASSES if value not in (StoculusError, Transient, Terminal)]
TREE_LINE = re.compile(r"^ {4}[│ ]*[├└]── (?P<name>\w+)", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_longer_than_four_hundred_lines(package: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (CHECKOUT / package).rglob("*.py")}

    assert lengths
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE_LINES} == {}


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_an_error_is_either_transient_or_terminal(leaf: type[StoculusError]) -> None:
    assert leaf.__bases__ in [(Transient,), (Terminal,)]


def test_the_docstring_of_errors_draws_the_whole_tree() -> None:
    drawn = TREE_LINE.findall(stoculus.errors.__doc__ or "")
    branches = [drawn.index(branch.__name__) for branch in (Transient, Terminal)]
    by_branch = {Transient: set(drawn[1 : branches[1]]), Terminal: set(drawn[branches[1] + 1 :])}

    assert branches[0] == 0
    for branch, names in by_branch.items():
        assert names == {leaf.__name__ for leaf in LEAVES if issubclass(leaf, branch)}


def test_each_exception_of_the_suite_stands_in_the_one_tree() -> None:
    """A control flow signal (Cancelled) and private exceptions are no errors that anybody reports."""
    elsewhere = [
        f"{path.relative_to(CHECKOUT)}: {found[0]}"
        for package in PACKAGES
        for path in (CHECKOUT / package).rglob("*.py")
        if path != CHECKOUT / "stoculus" / "errors.py"
        for found in re.findall(r"^class ([A-Z]\w*)\((\w*(?:Exception|Error))\)", path.read_text(), re.MULTILINE)
        if found[0] != "Cancelled"
    ]

    assert elsewhere == []
