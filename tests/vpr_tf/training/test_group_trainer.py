import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_training import build_small_encoder
from vpr_tf.config import (
    ConfigError,
    CosineScheduleConfig,
    LookaheadConfig,
    OptimizerConfig,
    TrainConfig,
    WeightAverageConfig,
)
from vpr_tf.training import group_trainer, step_result
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingDivergedError, TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

CONFIG = TrainConfig(
    groups_num=2,
    epochs=4,
    iterations_per_epoch=3,
    batch_size=4,
    image_size=32,
    encoder_optimizer=OptimizerConfig(learning_rate=0.01),
)


def plain_batches(split, partition, group_id, config, seed, **place):
    """Stands in for `training_batches`: the same contract without photos."""
    num_classes = len(partition.classes_of_group(group_id))
    shape = (config.image_size, config.image_size, 3)

    def sample(position):
        noise = tf.random.stateless_uniform(shape, [seed, position])
        class_index = tf.cast(position % num_classes, tf.int32)
        colour = tf.random.stateless_uniform([3], [group_id, class_index])
        return 0.5 * noise + 0.5 * colour, {"class_index": class_index}

    first = place["start_position"]
    samples = tf.data.Dataset.range(first, first + place["num_samples"]).map(sample)
    return samples.batch(config.batch_size, drop_remainder=True)


@pytest.fixture
def make_trainer(small_training_dataset, monkeypatch):
    dataset = small_training_dataset
    monkeypatch.setattr(group_trainer, "training_batches", plain_batches)

    def make(strategy=None, build_encoder=build_small_encoder, **changes):
        keras.utils.set_random_seed(5)
        return GroupTrainer(
            build_encoder,
            dataset.split("train"),
            dataset.partition("cosplace"),
            dataclasses.replace(CONFIG, **changes),
            7,
            strategy or create_strategy("one_device"),
        )

    return make


def run_epochs(trainer, num_epochs):
    losses = []
    for _ in range(num_epochs):
        losses += [result.loss for result in trainer.train_epoch()]
        trainer.progress.finish_epoch()
    return losses


def weights(trainer):
    owners = (trainer.encoder, *trainer.heads, *trainer.head_optimizers)
    owners += (trainer.encoder_optimizer,)
    return [keras.ops.convert_to_numpy(v) for o in owners for v in o.variables]


def test_groups_take_turns_and_continue_their_samples(make_trainer):
    trainer = make_trainer()
    heads = [head.class_centres.numpy() for head in trainer.heads]
    run_epochs(trainer, 1)
    assert not np.array_equal(trainer.heads[0].class_centres, heads[0])
    np.testing.assert_array_equal(trainer.heads[1].class_centres, heads[1])
    run_epochs(trainer, 2)
    assert trainer.progress.group_positions == [24, 12]
    assert trainer.progress.step == 9
    iterations = [int(optimizer.iterations) for optimizer in trainer.head_optimizers]
    assert iterations == [6, 3]


def test_first_step_equals_the_formula(make_trainer, small_training_dataset):
    """Plain SGD on the encoder and on the head, computed apart from the step."""
    sgd = {"encoder_optimizer": OptimizerConfig("SGD", 0.1)}
    sgd["head_optimizer"] = OptimizerConfig("SGD", 0.5)
    trainer = make_trainer(**sgd)
    partition = small_training_dataset.partition("cosplace")
    split = small_training_dataset.split("train")
    images, targets = next(
        iter(
            plain_batches(
                split, partition, 0, CONFIG, 7, start_position=0, num_samples=4
            )
        )
    )
    encoder, head = trainer.encoder, trainer.heads[0]
    before = [v.numpy() for v in encoder.trainable_variables]
    centres = head.class_centres.numpy()
    with tf.GradientTape() as tape:
        losses = head.loss(encoder(images, training=True), targets["class_index"])
        loss = tf.reduce_mean(losses)
    variables = [v.value for v in encoder.trainable_variables]
    *gradients, of_head = tape.gradient(loss, [*variables, head.class_centres.value])
    result = next(iter(trainer.train_epoch(finish_before=lambda step: True)))
    assert result.loss == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(
        head.class_centres, centres - 0.5 * of_head, rtol=1e-4, atol=1e-6
    )
    for variable, old, gradient in zip(
        encoder.trainable_variables, before, gradients, strict=True
    ):
        np.testing.assert_allclose(variable, old - 0.1 * gradient, rtol=1e-4, atol=1e-5)


def build_encoder_with_dropout():
    encoder = build_small_encoder()
    x = keras.layers.Dropout(0.3)(encoder.get_layer("aggregation").output)
    return keras.Model(encoder.input, x)


WRAPPED = OptimizerConfig(
    "NovoGrad", 0.01, lookahead=LookaheadConfig(2), average=WeightAverageConfig(1, 2)
)


@pytest.mark.parametrize(
    ("build_encoder", "changes"),
    [
        (build_small_encoder, {}),
        (build_encoder_with_dropout, {}),
        (
            build_small_encoder,
            {"encoder_optimizer": WRAPPED, "precision": "mixed_float16"},
        ),
    ],
)
def test_restored_trainer_goes_on_as_if_undisturbed(
    make_trainer, build_encoder, changes, tmp_path
):
    make_trainer = functools.partial(
        make_trainer, build_encoder=build_encoder, **changes
    )
    undisturbed = make_trainer()
    expected = run_epochs(undisturbed, 3)

    trainer = make_trainer()
    store = CheckpointStore(trainer, tmp_path)
    losses = run_epochs(trainer, 1)
    for result in trainer.train_epoch(finish_before=lambda step: step == 5):
        losses.append(result.loss)
        if result.step == 5:
            store.save()
            break
    resumed = make_trainer()
    assert CheckpointStore(resumed, tmp_path).restore_latest()
    losses += run_epochs(resumed, 2)
    assert losses == expected
    for value, value_expected in zip(
        weights(resumed), weights(undisturbed), strict=True
    ):
        np.testing.assert_array_equal(value, value_expected)


def test_validated_weights_are_averages_and_training_goes_on(make_trainer):
    average = {"average": WeightAverageConfig(1, 1)}
    sgd = OptimizerConfig("SGD", 0.01)
    averaging = dataclasses.replace(sgd, **average)
    trainer, plain = (make_trainer(encoder_optimizer=o) for o in (averaging, sgd))
    kernels = []
    for _ in plain.train_epoch(finish_before=lambda step: True):
        kernels.append(plain.encoder.trainable_variables[0].numpy())
    list(trainer.train_epoch())
    validated = dict(
        zip(
            [id(v) for v in trainer.encoder.weights],
            trainer.encoder_weights(),
            strict=True,
        )
    )
    kernel = trainer.encoder.trainable_variables[0]
    np.testing.assert_allclose(kernel, kernels[-1], rtol=1e-6)
    mean = np.mean(kernels[1:], axis=0)
    np.testing.assert_allclose(validated[id(kernel)], mean, rtol=1e-5, atol=1e-7)
    statistics = trainer.encoder.non_trainable_variables[0]
    np.testing.assert_array_equal(validated[id(statistics)], statistics)


def test_a_damaged_checkpoint_is_told(make_trainer, tmp_path):
    trainer = make_trainer()
    CheckpointStore(trainer, tmp_path).save()
    (data,) = tmp_path.glob("step-0.data*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(TrainingError, match=r"Cannot restore .*step-0: .* Put"):
        CheckpointStore(trainer, tmp_path).restore_latest()


@pytest.mark.parametrize(("saved_step", "num_started"), [(None, 2), (1, 1)])
def test_a_result_waits_for_the_next_start_unless_saved(
    make_trainer, saved_step, num_started
):
    started = []

    def stop_requested():
        started.append(None)
        return False

    results = make_trainer().train_epoch(
        finish_before=lambda step: step == saved_step, stop_requested=stop_requested
    )
    assert next(results).step == 1
    assert len(started) == num_started


def test_a_stop_ends_the_epoch_with_nothing_running(make_trainer):
    trainer = make_trainer(iterations_per_epoch=9)
    asked = iter([False, True, True, True])
    results = list(trainer.train_epoch(stop_requested=lambda: next(asked)))
    assert len(results) == trainer.progress.step == 3
    assert int(trainer.encoder_optimizer.iterations) == 3


def test_schedule_sets_the_encoders_rate_only(make_trainer):
    trainer = make_trainer(schedule=CosineScheduleConfig(warmup_steps=1))
    rates = []
    for _ in trainer.train_epoch(finish_before=lambda step: True):
        rates.append(trainer.learning_rates)
    encoder_rates, head_rates = zip(*rates, strict=True)
    assert encoder_rates[0] == pytest.approx(0.005)
    assert encoder_rates[1] == pytest.approx(0.01)
    assert encoder_rates[2] < 0.01
    assert head_rates == pytest.approx((0.01,) * 3)


def test_nan_weights_stop_with_the_step(make_trainer):
    trainer = make_trainer()
    results = trainer.train_epoch(finish_before=lambda step: True)
    next(results)
    head = trainer.heads[0]
    head.class_centres.assign(np.full(head.class_centres.shape, np.nan))
    message = r"The loss is nan at step 2 \(epoch 0, group 0\)"
    with pytest.raises(TrainingDivergedError, match=message):
        next(results)
    assert trainer.progress.step == 1


def test_an_infinite_gradient_stops_though_the_loss_is_finite(make_trainer):
    trainer = make_trainer(head_optimizer=OptimizerConfig("SGD", 1e-3))

    @tf.custom_gradient
    def infinite_gradient(x):
        return tf.identity(x), lambda gradient: gradient * np.inf

    head_loss = trainer.heads[0].loss
    trainer.heads[0].loss = lambda x, y: head_loss(infinite_gradient(x), y)
    with pytest.raises(TrainingDivergedError, match="gradient is not finite at step 1"):
        list(trainer.train_epoch())


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_like_float32(make_trainer, precision):
    expected = run_epochs(make_trainer(), 1)
    trainer = make_trainer(precision=precision)
    assert trainer.encoder.get_layer("aggregation").dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "float32"
    if precision == "mixed_float16":
        # The first scale overflows in so small a network, which skips steps.
        trainer.encoder_optimizer.dynamic_scale.assign(256.0)
    losses = run_epochs(trainer, 1)
    assert losses[0] == pytest.approx(expected[0], rel=0.02)
    assert losses == pytest.approx(expected, rel=0.1)


def test_float16_overflow_skips_the_encoder_and_halves_the_scale(make_trainer):
    trainer = make_trainer(precision="mixed_float16")
    scale = trainer.encoder_optimizer.dynamic_scale
    scale.assign(1e38)
    encoder = trainer.encoder.trainable_variables[0].numpy()
    centres = trainer.heads[0].class_centres.numpy()
    result = next(trainer.train_epoch(finish_before=lambda step: True))
    assert result.overflowed
    assert float(scale) == pytest.approx(5e37)
    np.testing.assert_array_equal(trainer.encoder.trainable_variables[0], encoder)
    # The head's gradients are not scaled, so they are good.
    assert not np.array_equal(trainer.heads[0].class_centres, centres)
    assert np.isfinite(trainer.heads[0].class_centres.numpy()).all()


def test_float16_that_always_overflows_stops(make_trainer, monkeypatch):
    monkeypatch.setattr(step_result, "_MAX_SKIPPED_STEPS", 1)
    trainer = make_trainer(precision="mixed_float16")
    trainer.encoder_optimizer.dynamic_scale.assign(1e38)
    with pytest.raises(TrainingDivergedError, match=r"2 steps in a row up to step 2"):
        list(trainer.train_epoch())


def test_loss_scale_does_not_change_the_updates(make_trainer):
    losses = []
    for scale in (1.0, 1024.0):
        trainer = make_trainer(precision="mixed_float16")
        trainer.encoder_optimizer.dynamic_scale.assign(scale)
        losses.append(run_epochs(trainer, 1))
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_jit_compile_gives_the_same_losses(make_trainer):
    expected = run_epochs(make_trainer(), 1)
    losses = run_epochs(make_trainer(jit_compile=True), 1)
    assert losses == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups_num": 3}, "between 1 and 2, the number of groups.*Received: 3"),
    ],
)
def test_impossible_settings_are_refused(make_trainer, changes, message):
    with pytest.raises(ConfigError, match=message):
        make_trainer(**changes)
