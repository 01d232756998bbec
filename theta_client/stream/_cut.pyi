from collections.abc import Mapping

def cut(
    frames: list[bytes], received_us: list[int], numbers: dict[bytes, int], midnights: Mapping[int, int | None]
) -> tuple[bytes, bytes, int] | None: ...
