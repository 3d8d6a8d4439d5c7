"""What training asks of every head."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf import layers

CENTRES = [[-10.0, 0.0], [10.0, 0.0], [10.0, 20.0]]
HEADS = {
    "CosineMarginHead": {"num_classes": 3},
    "AngularMarginHead": {"num_classes": 3},
    "CrossEntropyHead": {"num_classes": 3},
    "SoftLabelHead": {"class_centres": CENTRES, "cell_size_m": 20.0},
    "MixtureOfVonMisesFisherHead": {
        "class_centres": CENTRES,
        "start_deviation_m": 20.0,
    },
    "DirectRegressionHead": {"extent_m": 50.0, "loss_kind": "learned_weight"},
    "UnitRegressionHead": {"extent_m": 50.0},
    "HypersphereRegressionHead": {"extent_m": 50.0},
}
every_head = pytest.mark.parametrize("name", HEADS)


def create_head(name, **kwargs):
    head = getattr(layers, name)(**HEADS[name], hidden_layers=1, seed=1, **kwargs)
    head.build((None, 6))
    return head


def examples(head):
    """Descriptors and targets of six images, two at each class centre."""
    classes = np.arange(6) % 3
    descriptors = np.random.default_rng(0).standard_normal((6, 6)).astype("float32")
    if head.target == "class_index":
        return descriptors, classes.astype("int32")
    places = np.zeros((6, 4), "float32")
    places[:, :2] = np.array(CENTRES)[classes] + 3
    places[:, 2] = 1
    return descriptors, places


def test_all_heads_are_here():
    shared = {"TrainingHead", "MarginHead", "PlaceRegressionHead"}
    names = {name for name in layers.__all__ if name.endswith("Head")}
    assert set(HEADS) == names - shared


@every_head
def test_compiled_steps_under_a_strategy_lower_the_loss(name):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        head = create_head(name)
        optimizer = keras.optimizers.SGD(0.05)
        optimizer.build(head.trainable_variables)
    dataset = tf.data.Dataset.from_tensor_slices(examples(head)).batch(6).repeat()
    batches = iter(strategy.experimental_distribute_dataset(dataset))

    @tf.function(jit_compile=True)
    def compute(descriptors, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(head.loss(descriptors, targets))
        variables = [variable.value for variable in head.trainable_variables]
        return loss, tape.gradient(loss, variables)

    def replica_step(descriptors, targets):
        loss, gradients = compute(descriptors, targets)
        optimizer.apply(gradients, head.trainable_variables)
        return loss

    step = tf.function(lambda batch: strategy.run(replica_step, args=batch))
    expected = np.mean(head.loss(*examples(head)))
    losses = [float(step(next(batches))) for _ in range(8)]
    np.testing.assert_allclose(losses[0], expected, rtol=1e-3)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - min(0.05, losses[0] / 10)


@every_head
def test_float32_whatever_the_policy(name):
    head, low = create_head(name), create_head(name, dtype="mixed_float16")
    descriptors, targets = examples(head)
    assert {variable.dtype for variable in low.variables} == {"float32"}
    loss = low.loss(descriptors, targets)
    assert loss.dtype == low(descriptors).dtype == tf.float32
    assert loss.shape == (6,)
    np.testing.assert_array_equal(loss, head.loss(descriptors, targets))
    half = tf.constant(descriptors, "float16")
    with tf.GradientTape() as tape:
        tape.watch(half)
        loss = tf.reduce_mean(low.loss(half, targets))
    assert np.isfinite(tape.gradient(loss, half)).all()


@every_head
def test_loss_builds_a_new_head(name):
    head = getattr(layers, name)(**HEADS[name])
    assert head.loss(*examples(head)).shape == (6,)


@every_head
def test_config_is_json_and_makes_the_same_head(name):
    head = create_head(name)
    config = json.loads(json.dumps(head.get_config()))
    again = type(head).from_config(config)
    assert again.get_config() == head.get_config()
    again.build((None, 6))
    arrays, same = head.arrays(), again.arrays()
    assert list(arrays) == list(same)
    for key, values in arrays.items():
        assert values.dtype == "float32"
        np.testing.assert_array_equal(values, same[key])


@every_head
def test_checkpoints_restore_every_weight(name, tmp_path):
    saved, restored = create_head(name), create_head(name)
    rng = np.random.default_rng(1)
    saved.set_weights([rng.normal(w, 1.0) for w in saved.get_weights()])
    path = tf.train.Checkpoint(heads=[saved]).save(str(tmp_path / "step"))
    tf.train.Checkpoint(heads=[restored]).restore(path).assert_consumed()
    for first, second in zip(saved.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["CosineMarginHead", "AngularMarginHead"])
def test_the_loss_from_logits_is_the_loss(name):
    head = create_head(name)
    descriptors, classes = examples(head)
    expected = head.loss(descriptors, classes)
    losses = head.loss_from_logits(classes[:, None], head(descriptors))
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["CosineMarginHead", "AngularMarginHead"])
def test_fit_reports_the_accuracy_of_prediction(name):
    head = getattr(layers, name)(num_classes=3, seed=1)
    rng = np.random.default_rng(0)
    classes = np.arange(60) % 3
    descriptors = np.eye(6, dtype="float32")[classes] + rng.normal(0, 0.05, (60, 6))
    model = keras.Sequential([keras.Input((6,)), head])
    optimizer = keras.optimizers.Adam(0.05)
    model.compile(optimizer, head.loss_from_logits, metrics=["accuracy"])
    history = model.fit(descriptors, classes, epochs=12, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["accuracy"][-1] == 1.0
    predicted = model.predict(descriptors, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(predicted, classes)
