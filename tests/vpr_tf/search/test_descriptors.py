import numpy as np

from vpr_tf.search import descriptors
from vpr_tf.search.descriptors import as_float32


def test_every_finite_float16_is_converted_exactly(monkeypatch):
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    expected = halves.astype(np.float32).view(np.uint32)
    np.testing.assert_array_equal(as_float32(halves).view(np.uint32), expected)
    monkeypatch.setattr(descriptors, "_VALUES_PER_THREAD", 1000)
    monkeypatch.setattr(descriptors, "_VALUES_PER_STEP", 999)
    np.testing.assert_array_equal(as_float32(halves).view(np.uint32), expected)


def test_rows_in_any_order_of_memory_are_converted():
    halves = np.arange(24, dtype=np.float16).reshape(4, 6)
    for rows in (halves.T, halves[::-1, 1::2], halves[:0]):
        np.testing.assert_array_equal(as_float32(rows), rows.astype(np.float32))


def test_float32_is_not_copied():
    rows = np.ones((2, 3), np.float32)
    assert as_float32(rows) is rows
