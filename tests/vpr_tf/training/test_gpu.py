"""What differs on a GPU: float16 in its units, memory, and input beside the steps."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_training import build_small_encoder, small_config
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not tf.config.list_physical_devices("GPU"), reason="there is no GPU"
    ),
]
LONG = ("train.groups_num=1", "train.epochs=3", "train.iterations_per_epoch=20")


@pytest.fixture
def make_trainer(small_training_dataset, tmp_path):
    dataset = small_training_dataset

    def make(*overrides):
        config = small_config(tmp_path, dataset.path, *LONG, *overrides)
        keras.utils.set_random_seed(config.seed)
        return GroupTrainer(
            build_small_encoder,
            dataset.split("train"),
            dataset.partition("cosplace"),
            config.train,
            config.seed,
            create_strategy("one_device"),
        )

    return make


def run_epoch(trainer):
    losses = [result.loss for result in trainer.train_epoch()]
    trainer.progress.finish_epoch()
    return losses


def test_variables_and_steps_are_on_the_gpu(make_trainer):
    trainer = make_trainer()
    for variable in (*trainer.encoder.variables, *trainer.heads[0].variables):
        assert "GPU:0" in variable.value.device


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_learns_like_float32(make_trainer, precision):
    expected = run_epoch(make_trainer())
    trainer = make_trainer(f"train.precision={precision}")
    if precision == "mixed_float16":
        trainer.encoder_optimizer.dynamic_scale.assign(256.0)
    convolution = trainer.encoder.layers[1]
    assert convolution.compute_dtype == precision.removeprefix("mixed_")
    losses = run_epoch(trainer)
    assert losses[0] == pytest.approx(expected[0], rel=0.02)
    assert np.mean(losses) == pytest.approx(np.mean(expected), rel=0.1)


def test_the_loss_scale_falls_on_overflow_and_the_encoder_stands_still(make_trainer):
    trainer = make_trainer("train.precision=mixed_float16")
    scale = trainer.encoder_optimizer.dynamic_scale
    scale.assign(1e38)
    before = trainer.encoder.trainable_variables[0].numpy()
    result = next(trainer.train_epoch(finish_before=lambda step: True))
    assert result.overflowed
    assert float(scale) == pytest.approx(5e37)
    np.testing.assert_array_equal(trainer.encoder.trainable_variables[0], before)


def test_memory_does_not_grow_with_the_steps(make_trainer):
    trainer = make_trainer()
    run_epoch(trainer)  # compiles
    after = []
    for _ in range(2):
        tf.config.experimental.reset_memory_stats("GPU:0")
        run_epoch(trainer)
        after.append(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    assert after[1] <= after[0] * 1.05


def test_input_is_made_while_the_gpu_computes(make_trainer):
    trainer = make_trainer("train.image_size=224", "train.batch_size=32")
    run_epoch(trainer)  # compiles
    steps = trainer.config.iterations_per_epoch
    batches = iter(trainer._batches(steps))
    start = time.perf_counter()
    for _ in range(steps):
        images, targets = next(batches)
    input_s = time.perf_counter() - start
    step, stop = trainer._step_of_group(0), tf.constant(0.0)
    start = time.perf_counter()
    for _ in range(steps):
        outcome = step(images, targets, stop)
    outcome.numpy()
    compute_s = time.perf_counter() - start
    start = time.perf_counter()
    run_epoch(trainer)
    # One after the other would take the sum of the two.
    assert time.perf_counter() - start < 1.5 * max(input_s, compute_s) + 0.5
