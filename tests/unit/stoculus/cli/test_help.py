"""Every command of the tree, as `--help` shows it at 80 columns without colours."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich import get_console
from typer.testing import CliRunner

from stoculus.cli.main import app

COLUMNS = 80
ROOT = typer.main.get_command(app)


def commands(context: Any) -> Iterator[tuple[str, ...]]:
    """The words of each command that does something."""
    listed = context.command.list_commands(context) if hasattr(context.command, "list_commands") else []
    if not listed:
        yield tuple(context.command_path.split()[1:])
    for name in listed:
        yield from commands(context_of(context, name))


def context_of(parent: Any, *words: str) -> Any:
    """The context of a command below another, its plug-in loaded."""
    for word in words:
        command = parent.command.get_command(parent, word)
        parent = command.make_context(word, [], parent=parent, resilient_parsing=True)
    return parent


TOP = ROOT.make_context("stoculus", [], resilient_parsing=True)
COMMANDS = list(commands(TOP))
every_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def shown(*words: str) -> str:
    answer = CliRunner(env={"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, [*words, "--help"])
    assert answer.exit_code == 0, answer.output
    return answer.output


def examples(words: tuple[str, ...]) -> list[str]:
    """The examples in a command's help, continued lines joined."""
    text = str(context_of(TOP, *words).command.help).split("\nExamples:\n")[1]
    return text.replace("\\\n", "").splitlines()


def test_the_tree_is_walked_into_groups_and_plug_ins() -> None:
    assert {("backtest", "submit"), ("tape",), ("local", "status"), ("simulator",), ("plot",)} <= set(COMMANDS)


@every_command
def test_help_says_what_it_does_how_it_ends_and_shows_an_example(words: tuple[str, ...]) -> None:
    first, *paragraphs = str(context_of(TOP, *words).command.help).split("\n\n")

    assert len(first) <= 88
    assert first.endswith(".")
    assert paragraphs[-1].startswith("Examples:\n")
    assert paragraphs[-2].startswith("Exit codes: 0 ")
    assert len(paragraphs) >= 3


@every_command
def test_help_fits_a_terminal_and_breaks_no_line_that_is_to_be_pasted(words: tuple[str, ...]) -> None:
    told = shown(*words)

    assert all(len(line) <= COLUMNS for line in told.splitlines())
    assert "\x1b" not in told
    for line in str(context_of(TOP, *words).command.help).split("\nExamples:\n")[1].splitlines():
        assert line in told


@every_command
def test_examples_are_commands_as_they_are(words: tuple[str, ...]) -> None:
    for example in examples(words):
        assignments = r"(?:[A-Z_]+=\S+ )*"
        command = re.fullmatch(rf"  {assignments}stoculus ([^>|]*)(?:[>|].*)?", example)
        assert command, example
        arguments = shlex.split(command[1])
        assert tuple(arguments[: len(words)]) == words
        leaf = context_of(TOP, *words).command
        leaf.make_context(words[-1], arguments[len(words) :], parent=context_of(TOP, *words[:-1]))


@every_command
def test_each_argument_and_option_says_what_it_is(words: tuple[str, ...]) -> None:
    context = context_of(TOP, *words)

    assert [each.name for each in context.command.get_params(context) if not getattr(each, "help", None)] == []


@every_command
def test_each_prints_json_where_it_is_asked(words: tuple[str, ...]) -> None:
    assert "--json" in [option for each in context_of(TOP, *words).command.params for option in each.opts]


def test_the_first_page_lists_what_is_used_most_first() -> None:
    told = shown()

    names = re.findall(r"^│ ([a-z]+) ", told, re.MULTILINE)
    assert names[:3] == ["backtest", "stream", "tape"]
    assert names[-2:] == ["local", "simulator"]
    assert "Exit codes: 0 done" in told
    assert get_console().width  # rich is as it was
