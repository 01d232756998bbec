from typing import Self

import pytest
from pydantic import model_validator

from stoculus.doctor import environment
from stoculus.doctor.environment import known, probe_program, probe_settings
from stoculus.errors import SettingsInvalid
from stoculus.kafka import enqueue
from stoculus.settings import ClientSettings, SuiteSettings


def told(variables: dict[str, str]) -> list[tuple[str, str]]:
    return [(line.level, f"{line.found} {line.remedy}".strip()) for line in probe_settings(variables)]


def test_what_is_set_is_shown() -> None:
    assert told({"STOCULUS_THETA_TIER": "pro", "PATH": "/bin", "STOCULUS_REGISTRY_URL": ""}) == [
        ("ok", "STOCULUS_THETA_TIER = pro, from the environment")
    ]
    assert told({"PATH": "/bin"}) == [("ok", "no STOCULUS_ variable is set: the defaults hold")]


def test_every_unknown_variable_is_told_with_the_nearest_name() -> None:
    first, second = told({"STOCULUS_THETA_TEIR": "pro", "STOCULUS_ZZZ": "1"})

    assert first[0] == second[0] == "failed"
    assert first[1].startswith("STOCULUS_THETA_TEIR is not a setting of Stoculus. Did you mean STOCULUS_THETA_TIER?")


def test_a_wrong_value_is_told_once_whoever_reads_it() -> None:
    wrong, shown = told({"STOCULUS_THETA_TIER": "gold"})

    assert wrong[0] == "failed"
    assert wrong[1].startswith("STOCULUS_THETA_TIER is wrong: ")
    assert shown == ("ok", "STOCULUS_THETA_TIER = gold, from the environment")


def test_what_does_not_go_together_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pair(SuiteSettings):
        pair_left: int = 0
        pair_right: int = 0

        @model_validator(mode="after")
        def _agree(self) -> Self:
            if self.pair_left != self.pair_right:
                raise SettingsInvalid("They differ.", field="STOCULUS_PAIR_LEFT STOCULUS_PAIR_RIGHT")
            return self

    monkeypatch.setattr(environment, "all_settings", lambda: [Pair, ClientSettings])
    differing = {"STOCULUS_PAIR_LEFT": "1", "STOCULUS_PAIR_RIGHT": "2", "STOCULUS_KAFKA_BOOTSTRAP": "k:1"}

    assert [text for level, text in told(differing) if level == "failed"] == ["They differ."]
    assert known(differing) == {"STOCULUS_KAFKA_BOOTSTRAP": "k:1"}
    assert [level for level, _ in told(differing | {"STOCULUS_PAIR_LEFT": "2"})] == ["ok"] * 3


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"STOCULUS_THETA_PASSWORD", "STOCULUS_THETA_PASSWORD_FILE", "STOCULUS_STORE_URL", "STOCULUS_API_KEY_FILE"}
    monkeypatch.setattr(environment, "known_names", lambda: names)
    monkeypatch.setattr(environment, "refuse_unknown", lambda _: None)
    monkeypatch.setattr(environment, "all_settings", list)
    variables = {
        "STOCULUS_THETA_PASSWORD": "canary",
        "STOCULUS_THETA_PASSWORD_FILE": "/run/secrets/theta",
        "STOCULUS_API_KEY_FILE": "canary",
        "STOCULUS_STORE_URL": "postgresql://me:canary@db/stoculus",
    }

    found = [text for _, text in told(variables)]

    assert "canary" not in "".join(found)
    assert found == [
        "STOCULUS_API_KEY_FILE = (not shown), from the environment",
        "STOCULUS_STORE_URL = postgresql://…@db/stoculus, from the environment",
        "STOCULUS_THETA_PASSWORD = (not shown), from the environment",
        "STOCULUS_THETA_PASSWORD_FILE = /run/secrets/theta, from the environment",
    ]


def test_the_other_probes_go_on_without_what_is_wrong() -> None:
    variables = {"STOCULUS_THETA_TEIR": "pro", "STOCULUS_THETA_TIER": "gold", "STOCULUS_KAFKA_BOOTSTRAP": "k:1"}

    assert known(variables) == {"STOCULUS_KAFKA_BOOTSTRAP": "k:1"}
    assert ClientSettings.load(known(variables)).kafka_bootstrap == "k:1"


def test_a_program_without_its_loops_in_c_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue, "HAS_EXTENSION", False)

    versions, note = probe_program({"stoculus": "0.1.0", "Python": "3.11.7"})

    assert (versions.level, versions.found) == ("ok", "stoculus 0.1.0, Python 3.11.7")
    assert note.level == "note"
