"""The service: settings to a running app."""

from fastapi import FastAPI
from prometheus_client import Gauge

from services.historical_option.job import OptionJob
from services.historical_option.plan import OptionPlanner
from services.historical_option.sort import ChainSorter
from services.kit.chains import Chains
from services.kit.service import build_service, utc_now
from services.kit.vendor import Vendor
from stoculus.settings import ServiceSettings
from stoculus.tasks import OptionTask

_SORT_MB = 64
"""What a chunk needs at the least while it is sorted; limits how many are at once."""


def build(settings: ServiceSettings) -> FastAPI:
    """The app of historical-option."""
    vendor = Vendor(settings, "historical-option")
    client = vendor.client
    chains = Chains(client, utc_now)
    sorter = ChainSorter(settings.memory_budget_mb, settings.spill_dir)
    app = build_service(
        "historical-option",
        settings,
        vendor,
        OptionTask,
        lambda task: OptionJob(task, client, chains, sorter),
        OptionPlanner(client, chains, utc_now),
        chunks_at_once=max(1, settings.memory_budget_mb // _SORT_MB),
        close=sorter.close,
    )
    spilled = Gauge(
        "stoculus_spilled_peak_bytes", "The most on disk while days were sorted", registry=app.state.metrics
    )
    spilled.set_function(lambda: sorter.spilled_bytes_peak)
    return app
