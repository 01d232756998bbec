from confluent_kafka import Producer

def load(path: str) -> None: ...
def enqueue(
    producer: Producer,
    topic: str,
    partition: int,
    header: bytes,
    key: bytes | None,
    key_offsets: object,
    key_data: object,
    offsets: object,
    data: object,
    timestamps_us: object,
    start: int,
    stop: int,
) -> tuple[int, int]: ...
def enqueue_live(
    producer: Producer,
    topics: tuple[str, ...],
    topic_of: object,
    header: bytes,
    key_offsets: object,
    key_data: object,
    offsets: object,
    data: object,
    timestamps_us: object,
    ingest_us: object,
    origin: bytes,
    stop: int,
) -> tuple[int, int, int]: ...
