import numpy as np
import pytest

from codecsim.viewer.store import Store


def test_gives_back_what_was_put():
    store = Store()
    plane = np.arange(600, dtype=np.uint16).reshape(20, 30)
    store.put("plane", plane[:, ::2])
    store.put(("text", 3), b"bytes")
    store.alias("again", "plane")
    for _ in range(2):
        found = store.get("plane")
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, plane[:, ::2])
        assert store.get(("text", 3)) == b"bytes"
    np.testing.assert_array_equal(store.get("again"), plane[:, ::2])
    with pytest.raises(KeyError):
        store.get("nothing")
    store.close()


def test_memory_is_bounded():
    store = Store(cache_bytes=2500)
    rng = np.random.default_rng(1)
    planes = [rng.integers(0, 256, (10, 100), np.uint8) for _ in range(5)]
    for k, plane in enumerate(planes):
        store.put(k, plane)
    for k in (0, 1, 2, 3, 4, 0, 4):
        np.testing.assert_array_equal(store.get(k), planes[k])
        assert store.cached_bytes <= 2500
    assert store.cached_bytes == 2000
    assert store.get(4) is store.get(4)
    assert store.get(1) is not planes[1]
    store.close()
