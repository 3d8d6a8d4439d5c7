import numpy as np

from benchmarks.methods_timing import (
    held_bytes,
    index_bytes,
    median_ms,
    resident_growth,
)
from vpr_tf.classification import GroupHead
from vpr_tf.search import build_index


def test_median_calls_each_query_and_the_first_twice():
    calls = []
    assert median_ms(calls.append, range(7)) >= 0
    assert calls == [0, 1, 2, 3, 4, *range(7)]


def test_held_bytes_counts_each_memory_once():
    kernel = np.zeros((4, 10), np.float32)
    head = GroupHead("linear", kernel, np.zeros(10, np.float32))
    again = GroupHead("linear", kernel)
    assert held_bytes([head, again, {"also": kernel}]) == 160 + 40
    assert held_bytes("text") == 0


def test_index_bytes_are_descriptors_and_norms():
    descriptors = np.eye(6, 8, dtype=np.float32)
    assert index_bytes(build_index("exact", descriptors)) == 6 * 8 * 4 + 6 * 4


def test_resident_growth_sees_what_is_held():
    with resident_growth() as grown:
        held = np.ones(8 << 20)
    assert held.nbytes * 0.9 < grown.bytes < held.nbytes * 2
