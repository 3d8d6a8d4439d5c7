import numpy as np

from vpr_tf.photos.quality.neighbours import neighbour_likeness

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


def test_right_photos_are_like_their_neighbours():
    likeness = neighbour_likeness(*city())
    assert likeness.min() > 3


def test_photos_of_elsewhere_are_not():
    points, descriptors, hashes = city()
    wrong = [5, 77]
    points[wrong] = points[[200, 30]]
    likeness = neighbour_likeness(points, descriptors, hashes)
    assert likeness[wrong].max() < 2.5
    assert np.delete(likeness, wrong).min() > 2.5


def test_copies_do_not_speak_for_each_other():
    points, descriptors, hashes = city()
    points[[5, 6]] = points[200]
    descriptors[6] = descriptors[5]
    assert neighbour_likeness(points, descriptors, hashes)[5] > 5
    hashes[6] = hashes[5]
    assert neighbour_likeness(points, descriptors, hashes)[5] < 2.5


def test_nothing_is_said_of_lonely_photos():
    points, descriptors, hashes = city()
    points[0, 1] = 60.0
    points[7] = np.nan
    likeness = neighbour_likeness(points, descriptors, hashes)
    assert np.isnan(likeness[[0, 7]]).all()
    assert np.isfinite(likeness[8:]).all()
    few = neighbour_likeness(points[:2], descriptors[:2], hashes[:2])
    assert np.isnan(few).all()
    near = neighbour_likeness(points[1:6], descriptors[1:6], hashes[1:6])
    assert np.isnan(near).all()
