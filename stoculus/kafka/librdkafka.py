"""The librdkafka inside the confluent-kafka wheel, the one that its clients use, for the C extensions beside this."""

from importlib import import_module
from pathlib import Path

import confluent_kafka


def is_bound(extension: str) -> bool:
    """Bind an extension such as `stoculus.kafka._enqueue` to the library. False where either is not there."""
    site = Path(confluent_kafka.__file__).parent
    libraries = [*site.parent.glob("confluent_kafka.libs/librdkafka*"), *site.glob(".dylibs/librdkafka*")]
    try:
        import_module(extension).load(str(libraries[0]))
    except (ImportError, IndexError):
        return False
    return True
