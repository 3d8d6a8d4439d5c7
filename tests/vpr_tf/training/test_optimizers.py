import math

import keras
import numpy as np
import pytest

from vpr_tf.config import (
    OPTIMIZERS,
    ConfigError,
    LookaheadConfig,
    OptimizerConfig,
    TrainConfig,
    WeightAverageConfig,
)
from vpr_tf.training.optimizers import averaged_weights, create_optimizer


def create(name="Adam", **arguments):
    config = OptimizerConfig(name, 0.25, arguments)
    return create_optimizer(config, "train.head_optimizer")


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Nadam"])
def test_adam_family_has_the_papers_epsilon(name):
    optimizer = create(name)
    assert type(optimizer).__name__ == name
    assert optimizer.epsilon == 1e-8
    assert float(optimizer.learning_rate) == 0.25
    assert create(name, epsilon=1e-4).epsilon == 1e-4


def test_arguments_reach_the_optimizer():
    sgd = create("SGD", momentum=0.9, nesterov=True, clipnorm=1.0)
    assert isinstance(sgd, keras.optimizers.SGD)
    assert (sgd.momentum, sgd.nesterov, sgd.clipnorm) == (0.9, True, 1.0)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Adam", {"momentun": 0.9}, r"may hold .*beta_1.*'momentun'"),
        ("Adam", {"bet_1": 0.9}, r"Did you mean beta_1\? Received: 'bet_1'"),
        ("Adam", {"beta_1": "high"}, r"arguments\.beta_1` must be a number\. .*'high'"),
        ("Adam", {"amsgrad": 1}, r"amsgrad` must be true or false\. Received: 1"),
        ("Adam", {"clipnorm": "1,0"}, r"clipnorm` must be a number or null\. .*'1,0'"),
        ("Adam", {"learning_rate": 1.0}, "`train.head_optimizer.learning_rate`, not"),
        ("Adam", {"use_ema": True}, "Received: 'use_ema'"),
        (
            "SGD",
            {"momentum": 7.0},
            r"momentum` must be from 0 to below 1\. Received: 7",
        ),
        ("Adam", {"beta_1": 1.5}, r"beta_1` must be from 0 to below 1\. .*1\.5"),
        ("Adam", {"beta_2": float("nan")}, "beta_2` must be from 0 to below 1"),
        ("AdamW", {"weight_decay": -0.1}, "weight_decay` must be 0 or more"),
        ("Adafactor", {"beta_2_decay": -math.inf}, "must be a finite number"),
    ],
)
def test_impossible_optimizers_are_refused(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        create(name, **arguments)


def test_an_argument_below_zero_by_its_nature_is_taken():
    assert create("Adafactor", beta_2_decay=-0.7).beta_2_decay == -0.7


def torch_adam(weights, gradients, rate, l2):
    """`torch.optim.Adam(weight_decay=l2)`, step by step in float64."""
    weights = weights.astype("float64")
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step, gradient in enumerate(gradients, 1):
        gradient = gradient + l2 * weights
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        root = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights = weights - rate * mean / (1 - 0.9**step) / root
    return weights


@pytest.mark.parametrize("loss_scale", [False, True])
def test_l2_is_the_weight_decay_of_pytorch(loss_scale):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 3)).astype("float32")
    gradients = 0.1 * rng.normal(size=(30, 4, 3))
    config = OptimizerConfig("Adam", 0.01, l2=0.3)
    optimizer = create_optimizer(config, "train.head_optimizer")
    if loss_scale:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variable = keras.Variable(start)
    optimizer.build([variable])
    for gradient in gradients:
        scale = float(optimizer.dynamic_scale.value) if loss_scale else 1.0
        optimizer.apply([keras.ops.convert_to_tensor(scale * gradient, "float32")])

    expected = torch_adam(start, gradients, 0.01, 0.3)
    np.testing.assert_allclose(variable, expected, atol=1e-5)
    without = torch_adam(start, gradients, 0.01, 0.0)
    decoupled = without * (1 - 0.01 * 0.3) ** 30
    assert np.abs(expected - without).max() > 0.05
    assert np.abs(expected - decoupled).max() > 0.05


def test_l2_of_sgd_is_a_pull_towards_zero():
    optimizer = create_optimizer(OptimizerConfig("SGD", 0.5, l2=0.1), "x")
    variable = keras.Variable(np.array([2.0, -4.0], "float32"))
    optimizer.build([variable])
    optimizer.apply([keras.ops.zeros(2)])
    np.testing.assert_allclose(variable, [1.9, -3.8], rtol=1e-6)


def test_a_negative_l2_is_refused():
    with pytest.raises(ConfigError, match="l2"):
        OptimizerConfig(l2=-0.1)


# === The optimizers that are not Keras's, and what is wrapped around others ===

_SCALE = np.array([[1, 10, 0.1], [3, 0.01, 1]], "float32")
_START = np.array([[1, -2, 3], [0.5, 0.1, -0.7]], "float32")
LOOKAHEAD = {"lookahead": LookaheadConfig(6, 0.5)}
SGDW = {"weight_decay": 0.1, "momentum": 0.9}
AVERAGE = {"average": WeightAverageConfig(0, 1)}


def descend(num_steps, config, scale=_SCALE):
    """Weights after each step down `sum(scale * v^2) + sum(sin(3 v))`."""
    optimizer = create_optimizer(config, "x")
    variable, steps = keras.Variable(_START), []
    optimizer.build([variable])
    for _ in range(num_steps):
        weights = variable.numpy()
        optimizer.apply([2 * scale * weights + 3 * np.cos(3 * weights)])
        steps.append(variable.numpy())
    return np.stack(steps), optimizer


@pytest.mark.parametrize(
    ("golden", "name", "settings"),
    [
        ("lamb_lr0.01", "Lamb", {"arguments": {"epsilon": 1e-6}}),
        ("rectified_adam_lr0.01", "RectifiedAdam", {"arguments": {"epsilon": 1e-7}}),
        ("yogi_lr0.01", "Yogi", {}),
        ("novograd_lr0.01", "NovoGrad", {}),
        ("adabelief_lr0.01", "AdaBelief", {}),
        # There the decay is not times the rate.
        ("sgdw_lr0.01_wd0.001", "SGD", {"arguments": SGDW}),
        ("lookahead_sgd_lr0.01_k6_a0.5", "SGD", LOOKAHEAD),
        ("swa_sgd_lr0.01_start0_period1", "SGD", AVERAGE),
    ],
)
def test_optimizer_equals_golden_values(golden_dir, golden, name, settings):
    with np.load(golden_dir / "research" / "tensorflow_addons.npz") as file:
        expected = file[f"optimizer/{golden}"]
    steps, _ = descend(20, OptimizerConfig(name, 0.01, **settings))
    # There 1 - beta_2 was taken in float32, which is off by 5e-5 of it.
    np.testing.assert_allclose(steps, expected, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_descends_with_all_that_is_wrapped_around_it(name):
    average = {} if name == "ASGD" else AVERAGE
    steps, _ = descend(40, OptimizerConfig(name, 0.02, **LOOKAHEAD, **average))
    values = [np.sum(_SCALE * v**2 + np.sin(3 * v)) for v in (_START, steps[-1])]
    assert np.isfinite(steps).all()
    assert values[1] < values[0]


def test_average_is_the_mean_of_the_weights_of_the_steps_that_count():
    config = OptimizerConfig("SGD", 0.01, average=WeightAverageConfig(3, 2))
    steps, optimizer = descend(8, config)
    (average,) = averaged_weights(keras.optimizers.LossScaleOptimizer(optimizer))
    np.testing.assert_allclose(average, steps[[3, 5, 7]].mean(axis=0), rtol=1e-5)
    steps, optimizer = descend(3, config)
    np.testing.assert_array_equal(averaged_weights(optimizer)[0], steps[-1])
    assert averaged_weights(create("SGD")) is None


def test_there_is_no_average_after_a_step_that_float16_could_not_hold():
    averaging = create_optimizer(OptimizerConfig("SGD", 0.01, **AVERAGE), "x")
    optimizer = keras.optimizers.LossScaleOptimizer(averaging)
    weights = keras.Variable(np.ones(3, np.float32))
    optimizer.build([weights])
    for gradient, average in ((np.inf, None), (0.0, [1, 1, 1])):
        optimizer.apply([keras.ops.full((3,), gradient)])
        np.testing.assert_array_equal(weights, [1, 1, 1])
        found = averaged_weights(optimizer)
        assert (found and found[0].numpy().tolist()) == average


def torch_asgd(num_steps, rate, lambd, alpha, t0):
    """`torch.optim.ASGD`, step by step in float64; returns weights and averages."""
    weights = _START.astype("float64")
    average, eta, share = np.zeros_like(weights), rate, 1.0
    for step in range(1, num_steps + 1):
        gradient = 2 * _SCALE * weights + 3 * np.cos(3 * weights)
        weights = weights * (1 - lambd * eta) - eta * gradient
        average = average + (weights - average) * share
        eta = rate / (1 + lambd * rate * step) ** alpha
        share = 1 / max(1, step - t0)
    return weights, average


def test_asgd_equals_pytorchs():
    arguments = {"lambd": 0.5, "alpha": 0.75, "t0": 4}
    steps, optimizer = descend(12, OptimizerConfig("ASGD", 0.02, arguments))
    weights, average = torch_asgd(12, 0.02, **arguments)
    np.testing.assert_allclose(steps[-1], weights, rtol=1e-4)
    np.testing.assert_allclose(averaged_weights(optimizer)[0], average, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OptimizerConfig("ASGD", average=WeightAverageConfig()), "t0"),
        (
            lambda: TrainConfig(head_optimizer=OptimizerConfig("ASGD")),
            "encoder's alone",
        ),
        (lambda: WeightAverageConfig(period_steps=0), "average.period_steps"),
        (lambda: create("AdaBelief", rectfy=True), "may hold .*rectify.*weight_decay"),
    ],
)
def test_what_an_optimizer_cannot_do_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
