from tests.integration.cli.conftest import stoculus

__all__ = ["stoculus"]
