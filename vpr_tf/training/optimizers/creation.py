"""Makes the optimizer that a config describes."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import keras

from vpr_tf.config import (
    KERAS_OPTIMIZERS,
    ConfigError,
    OptimizerConfig,
    did_you_mean,
)
from vpr_tf.training.optimizers.ada_belief import AdaBelief
from vpr_tf.training.optimizers.averaged_sgd import ASGD
from vpr_tf.training.optimizers.novo_grad import NovoGrad
from vpr_tf.training.optimizers.rectified_adam import RectifiedAdam
from vpr_tf.training.optimizers.wrappers import with_lookahead, with_weight_average
from vpr_tf.training.optimizers.yogi import Yogi

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_OWN = {c.__name__: c for c in (ASGD, AdaBelief, NovoGrad, RectifiedAdam, Yogi)}

# Keras's default of 1e-7 differs from the papers' 1e-8.
_ADAM_EPSILON = 1e-8
# `average` stands for the averages of Keras, which are not looked at in validation;
# accumulated gradients of one group would be applied to another.
_UNSUPPORTED_ARGUMENTS = (
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)
# How much of the average of former gradients stays at each step.
_SHARES = ("beta_1", "beta_2", "adam_beta_1", "adam_beta_2", "rho", "momentum")


def create_optimizer(
    config: OptimizerConfig, field_name: str
) -> keras.optimizers.Optimizer:
    """Makes the optimizer that a config describes.

    Keras's of the Adam family get `epsilon=1e-8` unless it is given. Gradients
    must be summed over replicas before they are applied (see `train_step`).

    Args:
        config: Class name, learning rate and further arguments.
        field_name: Where the config comes from, for messages, e.g.
            `train.encoder_optimizer`.

    Raises:
        ConfigError: One of the arguments is unknown or impossible.
    """
    is_keras = config.name in KERAS_OPTIMIZERS
    optimizer_class = (
        getattr(keras.optimizers, config.name) if is_keras else _OWN[config.name]
    )
    known = _arguments_of(optimizer_class)
    arguments: dict[str, Any] = dict(config.arguments)
    _check_arguments(arguments, known, field_name)
    if is_keras and {"beta_2", "epsilon"} <= set(known):
        arguments.setdefault("epsilon", _ADAM_EPSILON)
    if config.lookahead is not None:
        optimizer_class = with_lookahead(optimizer_class)
        arguments |= dataclasses.asdict(config.lookahead)
    if config.average is not None:
        optimizer_class = with_weight_average(optimizer_class)
        arguments |= dataclasses.asdict(config.average)
    try:
        optimizer = optimizer_class(learning_rate=config.learning_rate, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`{field_name}.arguments`: {error}") from error
    if config.l2:
        optimizer = _with_l2(optimizer, config.l2)
    return _sum_gradients_outside(optimizer)


def _arguments_of(optimizer_class: type) -> dict[str, Any]:
    """Returns what a class takes with the defaults.

    Through `**kwargs` it takes what its parents take as well.
    """
    found: dict[str, Any] = {}
    for one in optimizer_class.__mro__:
        if "__init__" in vars(one):
            parameters = list(inspect.signature(one.__init__).parameters.values())[1:]  # type: ignore[misc]
            for parameter in parameters:
                if parameter.kind in _NAMED:
                    found.setdefault(parameter.name, parameter.default)
            if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
                break
    return found


def _with_l2(
    optimizer: keras.optimizers.Optimizer, l2: float
) -> keras.optimizers.Optimizer:
    """Adds `l2` times the weights to their gradients, after these were clipped.

    Keras's `weight_decay` shrinks the weights beside the step, so that Adam does not
    divide it by the gradient's size.
    """
    update_step = optimizer.update_step

    def with_l2(gradient: Any, variable: Any, learning_rate: Any) -> Any:
        weights = keras.ops.cast(variable, gradient.dtype)
        return update_step(gradient + l2 * weights, variable, learning_rate)

    optimizer.update_step = with_l2
    return optimizer


def _check_arguments(
    arguments: dict[str, Any], known: dict[str, Any], field_name: str
) -> None:
    if "learning_rate" in arguments:
        raise ConfigError(
            f"The learning rate is `{field_name}.learning_rate`, not one of "
            f"`{field_name}.arguments`."
        )
    allowed = [
        name
        for name in known
        if name not in ("learning_rate", "kwargs", "name", *_UNSUPPORTED_ARGUMENTS)
    ]
    for name, value in arguments.items():
        if name not in allowed:
            raise ConfigError(
                f"`{field_name}.arguments` may hold {', '.join(allowed)}"
                f"{did_you_mean(name, allowed)} Received: {name!r}"
            )
        expected = _expected(value, known[name]) or _expected_size(
            name, value, known[name]
        )
        if expected is not None:
            raise ConfigError(
                f"`{field_name}.arguments.{name}` must be {expected}. "
                f"Received: {value!r}"
            )


def _expected(value: Any, default: Any) -> str | None:
    """Returns what a value should be, by the default of its argument; None if it is."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int | float):
        return None if is_number else "a number"
    is_wrong = default is None and isinstance(value, str | bool)
    return "a number or null" if is_wrong else None


def _expected_size(name: str, value: Any, default: Any) -> str | None:
    """Returns what a number should be, by the name of its argument; None if it is.

    Keras takes any number as most of these, and the weights grow without bounds.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if name in _SHARES:
        return None if 0 <= value < 1 else "from 0 to below 1"
    if isinstance(default, int | float) and default < 0:
        return None if math.isfinite(value) else "a finite number"
    return None if 0 <= value < math.inf else "0 or more"


def _sum_gradients_outside(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.Optimizer:
    """Stops `apply` from summing gradients over replicas a second time.

    Keras clips gradients, and looks for non-finite ones, before it sums them over
    the replicas, so that the outcome would depend on their number. The training
    step sums first and Keras has no argument for that.
    """
    if not hasattr(optimizer, "_all_reduce_sum_gradients"):
        raise RuntimeError(
            "This version of Keras sums gradients elsewhere. Use keras 3.15 as "
            "requirements.txt says."
        )
    optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars
    return optimizer
