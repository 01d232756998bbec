"""The entry `option` of the group `stoculus.sources`."""

from collections.abc import Mapping

from services.historical_option.job import OptionJob
from services.historical_option.sort import ChainSorter
from services.kit.chains import Chains
from services.kit.service import utc_now
from services.kit.source import VendorSource
from services.kit.vendor import client_of
from stoculus.settings import ServiceSettings
from stoculus.tasks import OptionTask


def open_source(environment: Mapping[str, str]) -> VendorSource[OptionTask]:
    """Chains at the terminal of an environment's settings. Raise SettingsInvalid."""
    settings = ServiceSettings.load(environment)
    client = client_of(settings, "historical-option")
    chains, sorter = Chains(client, utc_now), ChainSorter(settings.memory_budget_mb, settings.spill_dir)
    return VendorSource(settings, client, lambda task: OptionJob(task, client, chains, sorter), sorter.close)
