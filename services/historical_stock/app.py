"""The service: settings to a running app."""

from fastapi import FastAPI

from services.historical_stock.job import StockJob
from services.historical_stock.plan import StockPlanner
from services.kit.names import NameList
from services.kit.service import build_service, utc_now
from services.kit.vendor import Vendor
from stoculus.settings import ServiceSettings
from stoculus.tasks import StockTask


def build(settings: ServiceSettings) -> FastAPI:
    """The app of historical-stock."""
    vendor = Vendor(settings, "historical-stock")
    client = vendor.client
    symbols = NameList("stock", client.symbols, utc_now)
    return build_service(
        "historical-stock",
        settings,
        vendor,
        StockTask,
        lambda task: StockJob(task, client, symbols),
        StockPlanner(client, symbols, utc_now),
    )
