import itertools

import numpy as np
import pytest

from vpr_tf.photos.quality.duplicates import first_equal, first_similar

RNG = np.random.default_rng(3)
# Many near each other: 40 centres, each with copies that differ in up to 6 bits.
CENTRES = RNG.integers(0, 2**63, 40, dtype=np.uint64)
FLIPS = [RNG.choice(64, RNG.integers(0, 7), replace=False) for _ in range(400)]
MASKS = [np.bitwise_or.reduce(np.uint64(1) << f.astype(np.uint64)) for f in FLIPS]
HASHES = CENTRES[RNG.integers(0, 40, 400)] ^ np.array(MASKS, np.uint64)


def first_similar_by_comparing_all(hashes, max_bits):
    result, kept = [], []
    for row, value in enumerate(hashes.tolist()):
        near = [k for k in kept if (int(hashes[k]) ^ value).bit_count() <= max_bits]
        equal = [k for k in range(row) if int(hashes[k]) == value]
        result.append(result[equal[0]] if equal else (near[0] if near else row))
        if result[-1] == row:
            kept.append(row)
    return result


def test_first_equal():
    np.testing.assert_array_equal(
        first_equal(np.array([5, 7, 5, 9, 7])), [0, 1, 0, 3, 1]
    )


@pytest.mark.parametrize("max_bits", [0, 1, 3, 4, 8])
def test_similar_hashes_are_those_that_comparing_all_finds(max_bits):
    expected = first_similar_by_comparing_all(HASHES, max_bits)
    assert first_similar(HASHES, max_bits).tolist() == expected
    assert max_bits == 0 or expected != first_equal(HASHES).tolist()


def test_chain_of_small_changes_is_not_one_group():
    chain = np.bitwise_xor.accumulate(
        [np.uint64(1) << np.uint64(i) for i in range(12)]
    ).astype(np.uint64)
    assert first_similar(chain, 4).tolist() == [0] * 5 + [5] * 5 + [10] * 2


def test_no_hashes():
    assert first_similar(np.empty(0, np.uint64), 4).tolist() == []
    assert list(itertools.chain(first_similar(np.array([7], np.uint64), 4))) == [0]
