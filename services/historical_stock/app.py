"""The service: settings to a running app."""

from fastapi import FastAPI

from services.historical_stock.job import StockJob
from services.historical_stock.plan import StockPlanner
from services.kit.names import NameList
from services.kit.service import build_service, connect_vendor, utc_now
from stoculus.settings import ServiceSettings
from stoculus.tasks import StockTask


def build(settings: ServiceSettings) -> FastAPI:
    """The app of historical-stock."""
    client = connect_vendor(settings)
    symbols = NameList("stock", client.symbols, utc_now)
    return build_service(
        "historical-stock",
        settings,
        client,
        StockTask,
        lambda task: StockJob(task, client, symbols),
        StockPlanner(client, symbols, utc_now),
    )
