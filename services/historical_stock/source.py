"""The entry `stock` of the group `stoculus.sources`."""

from collections.abc import Mapping

from services.historical_stock.job import StockJob
from services.kit.names import NameList
from services.kit.service import utc_now
from services.kit.source import VendorSource
from services.kit.vendor import client_of
from stoculus.settings import ServiceSettings
from stoculus.tasks import StockTask


def open_source(environment: Mapping[str, str]) -> VendorSource[StockTask]:
    """Stocks at the terminal of an environment's settings. Raise SettingsInvalid."""
    settings = ServiceSettings.load(environment)
    client = client_of(settings, "historical-stock")
    symbols = NameList("stock", client.symbols, utc_now)
    return VendorSource(settings, client, lambda task: StockJob(task, client, symbols))
