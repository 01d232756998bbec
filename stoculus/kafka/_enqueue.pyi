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
