from pathlib import Path

from theta_client.terminal.setup import Setup

SETUP = Setup(Path("/terminal"), "quant@example.com", "p w&", "0" * 64, environment={"PATH": "/bin", "SECRET": "p w&"})


def test_no_secret_is_in_what_starts_it() -> None:
    seen = f"{SETUP.command} {SETUP.child_environment} {SETUP!r}"

    assert SETUP.email not in seen
    assert SETUP.password not in seen
    assert SETUP.child_environment["PATH"] == "/bin"


def test_a_secret_is_hidden_in_every_spelling() -> None:
    assert SETUP.redacted("login?user=quant%40example.com&key=p%20w%26 (p w&)") == "login?user=***&key=*** (***)"


def test_a_secret_that_is_part_of_the_other_hides_both() -> None:
    setup = Setup(Path("/terminal"), "quant", "quant-42", None)

    assert setup.redacted("quant-42 of quant") == "*** of ***"


def test_a_secret_is_hidden_where_its_letters_could_not_be_written() -> None:
    setup = Setup(Path("/terminal"), "quant", "käse", None)

    assert setup.redacted("key k?se, käse") == "key ***, ***"
