import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.data.class_sampler import ClassSampler
from vpr_tf.data.cliques import find_cliques, similarity_in_cliques
from vpr_tf.data.partition import CLASS_DTYPE, Partition


def places(num_items, seed, dim=6):
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(num_items, dim)).astype(np.float32)
    return descriptors, rng.uniform(0, 120, (num_items, 2))


@given(st.integers(2, 60), st.integers(2, 4), st.integers(0, 99), st.floats(0, 80))
def test_members_lie_apart_and_are_in_one_clique(num_items, size, seed, min_m):
    descriptors, points = places(num_items, seed)
    cliques = find_cliques(descriptors, points, size, min_m)
    flat = cliques.ravel().tolist()
    assert len(set(flat)) == len(flat)
    for clique in cliques.tolist():
        for one, other in itertools.combinations(clique, 2):
            assert np.linalg.norm(points[one] - points[other]) >= min_m


def test_the_most_similar_far_item_is_taken():
    descriptors, points = places(30, 4)
    [[seed, found], *_] = find_cliques(descriptors, points, 2, 40.0)
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    far = np.linalg.norm(points - points[0], axis=1) >= 40
    assert seed == 0
    assert found == np.where(far, unit @ unit[0], -2).argmax()


def test_look_alikes_of_many_items_are_found():
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(150, 16))
    order = rng.permutation(600)  # four items of each look, more than one block
    descriptors = (looks[order % 150] + 0.05 * rng.normal(size=(600, 16))) * 3
    points = rng.uniform(0, 1e5, (600, 3))
    cliques = find_cliques(descriptors, points, 4, 25.0)
    assert len(cliques) == 150
    alike = order[cliques] % 150
    assert (alike == alike[:, :1]).mean() > 0.99
    inside, everywhere = similarity_in_cliques(descriptors, cliques)
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    pairs = [
        unit[a] @ unit[b] for q in cliques for a, b in itertools.combinations(q, 2)
    ]
    assert inside == pytest.approx(np.mean(pairs), rel=1e-4)
    others = (unit @ unit.T)[~np.eye(600, dtype=bool)]
    assert everywhere == pytest.approx(others.mean(), abs=1e-4)


def test_no_clique_without_distance():
    descriptors, _ = places(10, 0)
    assert find_cliques(descriptors, np.zeros((10, 2)), 3, 25.0).shape == (0, 3)


def test_batches_are_made_of_whole_cliques():
    classes = np.zeros(10, CLASS_DTYPE)
    partition = Partition("p", {}, classes, np.arange(11) * 3, np.arange(30))
    cliques = np.array([[0, 9], [4, 2], [7, 1], [5, 6], [3, 8]])
    sampler = ClassSampler(partition, 0, 5, 3, classes_per_batch=4, cliques=cliques)
    rows = sampler.record_ids_at(0, 12 * 8).reshape(8, 4, 3)
    found = rows // 3
    assert (found == found[:, :, :1]).all()
    known = {tuple(clique) for clique in cliques.tolist()}
    in_turn = [tuple(pair) for pair in found[:, :, 0].reshape(16, 2).tolist()]
    assert set(in_turn) == known  # one is left out of each pass, another each time
    for first in range(0, 16, 4):
        assert len(set(in_turn[first : first + 4])) == 4
    assert all(len(set(of_class)) == 3 for of_class in rows.reshape(-1, 3).tolist())
