import numpy as np
import pytest

from vpr_tf.photos.distinct_rows import distinct_rows


@pytest.mark.parametrize(
    ("num_rows", "high"), [(0, 2), (1, 2), (500, 3), (500, 10**12)]
)
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_equal_rows_are_found_as_numpy_finds_them(num_rows, high, dtype):
    table = np.random.default_rng(0).integers(-high, high, (num_rows, 3)).astype(dtype)
    first, group_of = distinct_rows(table)
    distinct, expected_first, inverse = np.unique(
        table, axis=0, return_index=True, return_inverse=True
    )
    np.testing.assert_array_equal(table[first], distinct)
    np.testing.assert_array_equal(first, expected_first)
    np.testing.assert_array_equal(group_of, inverse.ravel())
