"""A member of a consumer group: `python -m tests.chaos.member BOOTSTRAP REGISTRY GROUP UNTIL_END TOPIC…`.

It prints topic, first and last event time (microseconds) of each batch when its work on it is done.
"""

import sys

import pyarrow as pa

import stoculus
from stoculus.settings import Connections


def main() -> None:
    bootstrap, registry_url, group, until_end, *topics = sys.argv[1:]
    where = Connections(kafka_bootstrap=bootstrap, registry_url=registry_url)
    for batch in stoculus.subscribe(topics, group=group, until_end=until_end == "True", settings=where):
        times = batch["ts_event"].cast(pa.int64())
        print(stoculus.topic_of(batch), times[0].as_py(), times[-1].as_py(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
