from hypothesis import given
from hypothesis import strategies as st

from simulator.caching import ByteCache


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 40)), max_size=100))
def test_the_cache_never_holds_more_than_its_bound(puts: list[tuple[int, int]]) -> None:
    cache: ByteCache[int, bytes] = ByteCache(100, len)
    for key, size in puts:
        cache.put(key, b"x" * size)
        assert cache.held_bytes <= 100
        assert cache.get(key) is not None


def test_what_was_used_last_stays() -> None:
    cache: ByteCache[str, bytes] = ByteCache(2, len)
    cache.put("a", b"1")
    cache.put("b", b"2")
    cache.get("a")
    cache.put("c", b"3")

    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1", None, b"3")


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    cache: ByteCache[str, bytes] = ByteCache(2, len)

    assert cache.get_or("a", lambda: b"123") == b"123"
    assert cache.get("a") is None
