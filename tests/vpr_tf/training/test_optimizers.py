import keras
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
