import numpy as np

from vpr_tf.config import DEFAULT_QUALITY
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoFiles, PhotoTable
from vpr_tf.photos.quality import MEASURES_DTYPE, MeasuredPhotos, flag_photos
from vpr_tf.photos.quality.neighbours import NEIGHBOUR_RULES, better_far_share

PLACES, PHOTOS, DIM = 40, 6, 32


def city(seed=0):
    """Returns points and descriptors of photos of places 200 m apart."""
    rng = np.random.default_rng(seed)
    places = np.repeat(rng.normal(size=(PLACES, DIM)), PHOTOS, axis=0)
    descriptors = places + rng.normal(scale=0.5, size=places.shape)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    points = np.zeros((PLACES * PHOTOS, 3))
    points[:, 0] = 200 * np.repeat(np.arange(PLACES), PHOTOS)
    points[:, 1] = rng.uniform(0, 15, len(points))
    return points, descriptors, np.arange(len(points))


def test_far_photos_are_not_better_than_right_neighbours():
    assert better_far_share(*city()).max() < 0.03


def test_far_photos_are_better_where_the_place_is_wrong():
    points, descriptors, hashes = city()
    wrong = [5, 77]
    points[wrong] = points[[200, 30]]
    shares = better_far_share(points, descriptors, hashes)
    assert shares[wrong].min() > 0.03
    assert np.delete(shares, wrong).max() < 0.03


def test_copies_do_not_speak_for_each_other():
    points, descriptors, hashes = city()
    points[[5, 6]] = points[200]
    descriptors[6] = descriptors[5]
    assert better_far_share(points, descriptors, hashes)[5] == 0
    hashes[6] = hashes[5]
    assert better_far_share(points, descriptors, hashes)[5] > 0.03


def test_nothing_is_said_of_lonely_photos():
    points, descriptors, hashes = city()
    points[0, 1] = 60.0
    points[7] = np.nan
    shares = better_far_share(points, descriptors, hashes)
    assert np.isnan(shares[[0, 7]]).all()
    assert np.isfinite(shares[8:]).all()
    few = better_far_share(points[:60], descriptors[:60], hashes[:60])
    assert np.isnan(few).all()
    points[:, 0] = 0.0  # all at one place
    assert np.isnan(better_far_share(points, descriptors, hashes)).all()


def test_a_place_too_small_to_compare_with_is_not_checked():
    points, descriptors, _ = city()
    positions = Positions.from_utm(
        500_000 + points[:, 0] / 200, 4_000_000 + points[:, 1], np.full(len(points), 32)
    )
    keys = np.array([b"%d.jpg" % row for row in range(len(points))])
    headings, times = np.zeros(len(points), np.float32), np.full(len(points), b"")
    table = PhotoTable(keys, positions, headings, times)
    files = PhotoFiles(".", keys, table, np.zeros(len(points)))
    measures = np.zeros(len(points), MEASURES_DTYPE)
    measured = MeasuredPhotos(files, measures, descriptors)
    found = flag_photos(measured, NEIGHBOUR_RULES, DEFAULT_QUALITY)
    assert found.not_checked == ("unlike_neighbours",)
