"""What a service tells of its tasks while they go wrong."""

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import free_ports
from tests.integration.services.conftest import ServiceOf
from tests.integration.services.harness import Checkpoints, Service, Simulator, until

DAY = {"ticker": "SYM0600", "start": "2024-01-04", "end": "2024-01-04", "schema": "trade"}


def told(service: Service, name: str, **labels: str) -> float:
    """A sample's value; 0 where it is not there."""
    families = text_string_to_metric_families(service.http.get("/metrics").text)
    samples = {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}
    return samples.get((name, *sorted(labels.items())), 0.0)


def test_a_registry_that_is_away_is_counted_and_its_task_waits(new_service: ServiceOf, simulator: Simulator) -> None:
    [port] = free_ports(1)
    service = new_service(simulator.url, registry_url=f"http://127.0.0.1:{port}").start()
    task_id = service.start_task({"backtest_id": "noregistry"} | DAY)

    until(lambda: told(service, "stoculus_registry_errors_total", error="registry_unavailable") >= 2, "it tries again")
    until(lambda: told(service, "stoculus_held_tasks", state="waiting") == 1, "the task waits")
    assert told(service, "stoculus_records_total", schema="trade") == 0
    service.stop_task(task_id)
    assert told(service, "stoculus_held_tasks", state="waiting") == 0


def test_rows_in_quarantine_and_answers_of_the_vendor_are_counted(
    own_service: Service, simulator: Simulator, checkpoints: Checkpoints
) -> None:
    simulator.fault("status", status=500, match={"date": "2024-01-04"}, times=1)
    simulator.fault("nan", row=7, match={"date": "2024-01-04"}, times=1)
    done = checkpoints.completed(own_service.start_task({"backtest_id": "meters", "max_bad_rows": 1} | DAY))

    assert told(own_service, "stoculus_records_total", schema="trade") == done.records > 0
    assert told(own_service, "stoculus_rows_quarantined_total", reason="unreadable") == done.bad_rows == 1
    asked = {"endpoint": "stock/history/trade"}
    assert told(own_service, "stoculus_vendor_requests_total", **asked, status="500") == 1
    assert told(own_service, "stoculus_vendor_requests_total", **asked, status="200") == 1
    assert told(own_service, "stoculus_vendor_request_seconds_count", **asked) == 2
    assert told(own_service, "stoculus_vendor_inflight") == 0
    assert told(own_service, "stoculus_vendor_slots") == 8
