"""The examples run on the suite that the command line's tests run on."""

from tests.integration.cli.conftest import coordinator_url, suite

__all__ = ["coordinator_url", "suite"]
