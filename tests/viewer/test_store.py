import tracemalloc

import numpy as np
import pytest

from codecsim.viewer.store import Store


def test_gives_back_what_was_put():
    store = Store()
    plane = np.arange(600, dtype=np.uint16).reshape(20, 30)
    store.put("plane", plane[:, ::2])
    store.put(("text", 3), b"bytes")
    store.put("empty", b"")
    store.alias("again", "plane")
    for key in ("plane", "again", "plane"):
        found = store.get(key)
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, plane[:, ::2])
    assert store.get(("text", 3)) == b"bytes" and store.get("empty") == b""
    with pytest.raises(KeyError):
        store.get("nothing")
    store.close()


def test_pictures_are_not_in_memory():
    store = Store()
    plane = np.zeros((1000, 1000), np.uint8)
    tracemalloc.start()
    for k in range(50):
        plane[:] = k
        store.put(k, plane)
    assert tracemalloc.get_traced_memory()[1] < plane.nbytes
    tracemalloc.stop()
    assert [store.get(k)[7, 7] for k in range(50)] == [*range(50)]
    store.close()
