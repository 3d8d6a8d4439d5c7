import itertools

import numpy as np
import pytest

from vpr_tf.config import DEFAULT_QUALITY
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoFiles, PhotoTable
from vpr_tf.photos.quality import (
    MEASURES_DTYPE,
    MeasuredPhotos,
    duplicates,
    flag_photos,
)
from vpr_tf.photos.quality.duplicates import (
    DUPLICATE_RULES,
    first_equal,
    first_similar,
)
from vpr_tf.photos.quality.image_rules import IMAGE_RULES
from vpr_tf.photos.quality.rules import bits_of
from vpr_tf.photos.schema import ROW_DTYPE

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


def flagged_as_near(descriptors):
    """Returns which of four photos of one street are near duplicates.

    The second and third differ from the first in 2 and 7 bits; the last is far away.
    """
    measures = np.zeros(4, MEASURES_DTYPE)
    measures["contrast"] = 50
    measures["pixel_hash"] = np.arange(4)
    measures["perceptual_hash"] = [0, 0b11, 0b1111111 << 20, 0b1111111 << 40]
    east = np.array([0.0, 0.5, 1.0, 300.0])
    positions = Positions.from_utm(500_000 + east, [4_000_000.0] * 4, [32] * 4)
    keys = np.array([b"a.jpg", b"b.jpg", b"c.jpg", b"d.jpg"])
    table = PhotoTable(keys, positions, np.zeros(4, np.float32), np.full(4, b""))
    photos = PhotoFiles(".", keys, table, np.zeros(4, ROW_DTYPE))
    measured = MeasuredPhotos(photos, measures, descriptors)
    found = flag_photos(measured, DUPLICATE_RULES, DEFAULT_QUALITY)
    return (found.flags & bits_of(["near_duplicate"]) != 0).tolist()


def test_descriptors_confirm_near_duplicates_and_find_more_of_one_place():
    assert flagged_as_near(None) == [False, True, False, False]
    same = np.tile(np.array([1.0, 0.0]), (4, 1))
    assert flagged_as_near(same) == [False, True, True, False]
    others = np.eye(4)
    assert flagged_as_near(others) == [False] * 4


def test_pairs_of_one_place_are_made_in_blocks(monkeypatch):
    points = RNG.integers(0, 4, (len(HASHES), 3)) * 2.0
    points[:20] = np.nan
    apart_m = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    bits = np.bitwise_count(HASHES[:, np.newaxis] ^ HASHES)
    expected = np.argwhere(np.triu((apart_m <= 5) & (bits <= 8), 1))
    for pairs_at_once in (1 << 22, 1000, 1):
        monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", pairs_at_once)
        pairs = duplicates._similar_within(points, HASHES, 5.0, 8)
        np.testing.assert_array_equal(np.unique(pairs, axis=0), expected)
        assert len(pairs) == len(expected) > 100
    nowhere = duplicates._similar_within(np.full((3, 3), np.nan), HASHES[:3], 5.0, 8)
    assert nowhere.shape == (0, 2)


def test_kept_copy_is_placed_then_without_other_flags_then_largest():
    """Equal or nearly equal pictures, from the worst to the best."""
    rows = np.zeros(4, ROW_DTYPE)
    rows["width"] = rows["height"] = [900, 500, 400, 500]
    rows["latitude_e7"] = rows["longitude_e7"] = rows["utm_north_cm"] = 1
    rows["utm_zone"] = [0, 32, 32, 32]
    rows["latitude_e7"][0] = 0
    photos = PhotoFiles.from_rows(".", rows, np.array([b"a", b"b", b"c", b"d"]))
    measures = np.zeros(4, MEASURES_DTYPE)
    measures["contrast"] = [50, 1, 50, 50]
    rules = (*IMAGE_RULES, *DUPLICATE_RULES)
    measures["highlight"] = measures["sharpness"] = 255
    equal = flag_photos(MeasuredPhotos(photos, measures), rules, DEFAULT_QUALITY)
    assert equal.findings[-2].values.tolist() == [b"d", b"d", b"d", b""]
    measures["pixel_hash"] = np.arange(4)
    similar = flag_photos(MeasuredPhotos(photos, measures), rules, DEFAULT_QUALITY)
    assert similar.findings[-1].values.tolist() == [b"d", b"", b"d", b""]
