import keras
import numpy as np
import pytest

from vpr_tf.config import ConfigError, OptimizerConfig
from vpr_tf.training.optimizers import create_optimizer


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
        ("Adam", {"learning_rate": 1.0}, "`train.head_optimizer.learning_rate`, not"),
        ("Adam", {"use_ema": True}, "Received: 'use_ema'"),
        ("SGD", {"momentum": 7.0}, "momentum"),
    ],
)
def test_impossible_optimizers_are_refused(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        create(name, **arguments)


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
