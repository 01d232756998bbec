"""The service: settings to a running app."""

from fastapi import FastAPI
from prometheus_client import Gauge

from services.historical_option.job import OptionJob
from services.historical_option.plan import OptionPlanner
from services.historical_option.sort import ChainSorter
from services.kit.chains import Chains
from services.kit.service import build_service, connect_vendor, utc_now
from stoculus.settings import ServiceSettings
from stoculus.tasks import OptionTask

_SORT_MB = 64
"""What a chunk needs at the least while it is sorted; limits how many are at once."""


def build(settings: ServiceSettings) -> FastAPI:
    """The app of historical-option."""
    client = connect_vendor(settings)
    chains = Chains(client, utc_now)
    sorter = ChainSorter(settings.memory_budget_mb, settings.spill_dir)
    app = build_service(
        "historical-option",
        settings,
        client,
        OptionTask,
        lambda task: OptionJob(task, client, chains, sorter),
        OptionPlanner(client, chains, utc_now),
        chunks_at_once=max(1, settings.memory_budget_mb // _SORT_MB),
        close=sorter.close,
    )
    spilled = Gauge(
        "stoculus_spilled_bytes_peak", "The most on disk while days were sorted", registry=app.state.metrics
    )
    spilled.set_function(lambda: sorter.spilled_bytes_peak)
    return app
