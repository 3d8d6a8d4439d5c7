import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf import losses
from vpr_tf.config import CLASS_HEADS, OBJECTIVES, objective_of
from vpr_tf.training.objectives import (
    ReplicaBatch,
    create_objective,
    losses_of,
    objective_of_callable,
)

CLASSES = np.array([0, 0, 1, 1, 2, 2], "int32")
DESCRIPTORS = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
UNIT = DESCRIPTORS / np.linalg.norm(DESCRIPTORS, axis=1, keepdims=True)
TEACHER = np.random.default_rng(1).normal(size=(6, 5)).astype("float32")
OF_TARGET = np.random.default_rng(2).normal(size=(3, 5)).astype("float32")
# Those of heads, which pseudo labels are too, know classes.
OF_HEADS = (CLASS_HEADS, "pseudo_labels")
OVER_DESCRIPTORS = [name for name in OBJECTIVES.classes if name not in OF_HEADS]


def batch_of(descriptors, classes=CLASSES):
    """The last photos are of the target domain and have no class."""
    is_target = np.arange(len(descriptors)) >= len(classes)
    targets = {
        "class_index": tf.constant(classes),
        "teacher": tf.constant(TEACHER),
        "is_target": tf.constant(is_target, tf.float32),
    }
    return ReplicaBatch.of(tf.constant(descriptors), targets, ())


def loss_of(entry, descriptors=DESCRIPTORS):
    keras.utils.set_random_seed(0)
    objective = create_objective(objective_of(entry), 5, 3)
    everything = np.concatenate([descriptors, OF_TARGET])
    return float(objective.share(batch_of(everything)))


@pytest.mark.parametrize("name", OVER_DESCRIPTORS)
def test_length_of_descriptors_does_not_matter(name):
    loss = loss_of({"name": name})
    assert loss > 0
    assert loss_of({"name": name}, 3 * DESCRIPTORS) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("entry", "function"),
    [
        ({"name": "triplet", "mining": "all", "soft": True}, "triplet"),
        ({"name": "triplet", "margin": 0.3}, "triplet_hard"),
        ({"name": "triplet", "mining": "semi_hard"}, "triplet_semi_hard"),
        ({"name": "sup_con", "temperature": 0.2}, "sup_con"),
        ({"name": "fast_ap", "num_bins": 4}, "fast_ap"),
    ],
)
def test_settings_reach_the_loss(entry, function):
    settings = {n: v for n, v in entry.items() if n not in ("name", "mining")}
    pairs = losses.pairs_of(CLASSES)
    expected = float(getattr(losses, function)(UNIT, pairs, **settings))
    assert loss_of(entry) == pytest.approx(expected, rel=1e-5)


def test_a_miner_chooses_pairs():
    entry = {"name": "multi_similarity", "miner": {"epsilon": 0.05}}
    pairs = losses.multi_similarity_pairs(UNIT, losses.pairs_of(CLASSES), 0.05)
    expected = float(losses.multi_similarity(UNIT, pairs))
    assert loss_of(entry) == pytest.approx(expected, rel=1e-5)
    assert loss_of({"name": "multi_similarity"}) != pytest.approx(expected, rel=1e-3)


def test_views_stand_side_by_side():
    expected = float(losses.simclr(UNIT[0::2], UNIT[1::2], 0.07))
    assert loss_of({"name": "simclr"}) == pytest.approx(expected, rel=1e-5)
    expected = float(losses.vicreg(*(5**0.5 * UNIT[view::2] for view in (0, 1))))
    assert loss_of({"name": "vicreg"}) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["vicreg", "barlow_twins", "simclr"])
def test_views_go_through_a_projector_that_trains(name):
    keras.utils.set_random_seed(0)
    entry = objective_of({"name": name, "projector_dim": 7})
    objective = create_objective(entry, 5, 3)
    shapes = [tuple(variable.shape) for variable in objective.variables]
    assert shapes == [(5, 7), (7,), (7, 7), (7,)]
    kernel, bias, last_kernel, last_bias = (v.numpy() for v in objective.variables)
    hidden = np.maximum(5**0.5 * UNIT @ kernel + bias, 0)
    projected = hidden @ last_kernel + last_bias
    if name == "simclr":
        projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    expected = float(getattr(losses, name)(projected[0::2], projected[1::2]))
    with tf.GradientTape() as tape:
        loss = objective.share(batch_of(DESCRIPTORS))
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    gradients = tape.gradient(loss, [v.value for v in objective.variables[:3]])
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_a_teacher_is_brought_to_unit_length():
    unit = TEACHER / np.linalg.norm(TEACHER, axis=1, keepdims=True)
    expected = float(losses.distillation(UNIT, unit, 2.0, 3.0))
    entry = {"name": "distillation", "descriptor": 2, "relation": 3}
    assert loss_of(entry) == pytest.approx(expected, rel=1e-5)


def test_the_classifier_of_domains_is_worked_against():
    keras.utils.set_random_seed(0)
    entry = {"name": "domain_adversarial", "reversal": 0.5, "hidden_units": 4}
    objective = create_objective(objective_of(entry), 5, 3)
    _, *layers = objective.classifier.layers
    everything = tf.constant(np.concatenate([UNIT, OF_TARGET]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(everything)
        loss = objective.share(batch_of(everything))
        x = everything / tf.norm(everything, axis=1, keepdims=True)
        for layer in layers:
            x = layer(x)
        right = tf.nn.sigmoid(tf.concat([-x[:6, 0], x[6:, 0]], axis=0))
        expected = -tf.reduce_mean(tf.math.log(right[:6])) / 2
        expected -= tf.reduce_mean(tf.math.log(right[6:])) / 2
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(
        tape.gradient(loss, everything),
        -0.5 * tape.gradient(expected, everything),
        atol=1e-6,
    )
    kernel = objective.variables[0].value
    np.testing.assert_allclose(
        tape.gradient(loss, kernel), tape.gradient(expected, kernel), atol=1e-6
    )


def test_a_batch_without_a_target_is_refused():
    objective = create_objective(objective_of({"name": "domain_adversarial"}), 5, 3)
    batch = batch_of(DESCRIPTORS)._replace(domains=None)
    with pytest.raises(ValueError, match="domain_adversarial needs photos of a target"):
        objective.share(batch)


def test_a_batch_without_a_teacher_is_refused():
    objective = create_objective(objective_of({"name": "distillation"}), 5, 3)
    batch = batch_of(DESCRIPTORS)._replace(all_teacher=None)
    with pytest.raises(ValueError, match="distillation needs the descriptors of a"):
        objective.share(batch)


def test_proxies_are_trained():
    objective = create_objective(objective_of({"name": "proxy_anchor"}), 5, 3)
    (proxies,) = objective.variables
    assert proxies.shape == (3, 5)
    with tf.GradientTape() as tape:
        loss = objective.share(batch_of(DESCRIPTORS))
    assert np.abs(tape.gradient(loss, proxies.value)).max() > 0


@pytest.mark.parametrize(
    ("classes", "miner", "lacking"),
    [
        (CLASSES, None, False),
        (np.arange(6, dtype="int32"), None, True),
        (np.zeros(6, "int32"), None, True),
        (CLASSES, {"epsilon": 0.1}, True),
    ],
)
def test_a_batch_without_pairs_is_told(classes, miner, lacking):
    # Of three places that nobody takes for another.
    descriptors = np.repeat(np.eye(5, dtype="float32")[:3], 2, axis=0)
    entry = {"name": "multi_similarity", "miner": miner}
    objective = create_objective(objective_of(entry), 5, 6)
    batch = batch_of(descriptors, classes)
    assert bool(objective.lacks_pairs(batch)) is lacking
    found = losses_of([objective], batch)
    assert float(found.lacks_pairs) == float(lacking)


def test_objectives_add_up_with_their_weights():
    objectives = [
        dataclasses.replace(objective_of_callable(function), weight=weight)
        for function, weight in (
            (lambda x, y: tf.reduce_sum(x), 2.0),
            (lambda x, y: tf.reduce_sum(y), 0.5),
        )
    ]
    found = losses_of(objectives, batch_of(DESCRIPTORS))
    each = [float(loss) for loss in found.each]
    assert each == pytest.approx([DESCRIPTORS.sum(), CLASSES.sum()], rel=1e-5)
    assert float(found.total) == pytest.approx(2 * each[0] + each[1] / 2, rel=1e-5)
    assert float(found.lacks_pairs) == 0
