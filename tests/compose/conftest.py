"""One suite of the profile kafka for all tests that need it whole."""

import random
import secrets
import sys
import time
from collections.abc import Iterator

import pytest

from tests.compose.suite import Suite, has_engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/compose/" in item.path.as_posix():
            item.add_marker(pytest.mark.compose)


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine."""
    if not has_engine():
        pytest.skip("NOT TESTED IN CONTAINERS: no Docker engine answers here")


@pytest.fixture(scope="session")
def suite(engine: None) -> Iterator[Suite]:
    """The profile kafka, built and up; at the end nothing of it is left."""
    suite = Suite("kafka")
    suite.down()
    suite = Suite("kafka")
    suite.compose("build")
    started = time.monotonic()
    try:
        suite.compose("up", "--build", "--wait")
        sys.stderr.write(f"\ncold start of the profile kafka: {time.monotonic() - started:.1f} s\n")
        yield suite
    finally:
        suite.down()
    assert suite.leftovers() == []


@pytest.fixture
def rng() -> random.Random:
    """Random, with the seed in the report of a test that fails."""
    seed = secrets.randbits(32)
    sys.stderr.write(f"seed {seed}\n")
    return random.Random(seed)
