"""How far a topic has come that was played before: the records at its end."""

from stoculus.reading.decoding import Decoder
from stoculus.reading.merge import available_us
from stoculus.reading.partition import PartitionReader
from stoculus.records.catalog import Schema
from stoculus.replay.rows import Mark

_LOOK_BACK_RECORDS = 1_000


def mark_of(bootstrap: str, decoder: Decoder, topic: str, schema: Schema) -> Mark | None:
    """The time of the topic's last record (`available_at`), and how many at its end have that time; None where it is
    empty.
    """
    span = _LOOK_BACK_RECORDS
    with PartitionReader(bootstrap, topic) as reader:
        while reader.end > reader.first:
            start = max(reader.end - span, reader.first)
            last_us, count, records = 0, 0, 0
            for values in reader.read_values(start):
                times = available_us(decoder.decode_values(values, schema.record, topic=topic), schema)
                run = len(times) - int((times != times[-1]).nonzero()[0].max(initial=-1)) - 1
                count = run + (count if run == len(times) and times[-1] == last_us else 0)
                last_us, records = int(times[-1]), records + len(times)
            if count < records or start == reader.first:
                return Mark(last_us, count)
            span *= 10
    return None
