import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.search.cell_rows import CellRows, ranges

NUM_CELLS = 7
CELLS = st.lists(st.integers(-1, NUM_CELLS - 1), max_size=60)


@given(CELLS)
def test_every_located_row_is_in_its_cell_exactly_once(cells):
    grouped = CellRows.from_cells(np.array(cells, np.int64), NUM_CELLS)
    for cell in range(NUM_CELLS):
        expected = [row for row, of_row in enumerate(cells) if of_row == cell]
        assert grouped.rows_of(np.array([cell])).tolist() == expected
    assert len(grouped.rows) + len(grouped.outside) == len(cells)
    assert grouped.outside.tolist() == [row for row, c in enumerate(cells) if c < 0]
    assert grouped.num_held == len(set(cells) - {-1})


@given(CELLS, st.data())
def test_part_is_what_its_rows_are_grouped_to(cells, data):
    rows = np.array(
        data.draw(st.lists(st.integers(0, 59), unique=True).map(sorted)), np.int64
    )
    rows = rows[rows < len(cells)]
    part = CellRows.from_cells(np.array(cells, np.int64), NUM_CELLS).part(rows)
    for cell in range(NUM_CELLS):
        expected = [row for row in rows.tolist() if cells[row] == cell]
        assert part.rows_of(np.array([cell])).tolist() == expected
    assert part.outside.tolist() == [row for row in rows.tolist() if cells[row] < 0]


def test_more_cells_than_keys_of_16_bits_are_sorted_as_well():
    num_cells = 200_000
    cells = np.random.default_rng(0).integers(num_cells, size=300)
    cells = np.concatenate([cells, cells[::-1] % 100, cells])
    grouped = CellRows.from_cells(cells, num_cells)
    np.testing.assert_array_equal(grouped.rows, np.argsort(cells, kind="stable"))


def test_rows_of_several_cells_follow_in_the_order_of_the_cells():
    grouped = CellRows.from_cells(np.array([2, 0, 2, 1]), 4)
    assert grouped.rows_of(np.array([2, 3, 0])).tolist() == [0, 2, 1]


def test_unknown_cell_is_named():
    with pytest.raises(ValueError, match=r"between -1 and 2\. Received: -1 to 3"):
        CellRows.from_cells(np.array([-1, 3]), 3)


def test_ranges_may_be_empty():
    assert ranges(np.array([5, 9, 1]), np.array([2, 0, 3])).tolist() == [5, 6, 1, 2, 3]
