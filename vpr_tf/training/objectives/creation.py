"""From `train.objectives` to the objectives of a group."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from vpr_tf import losses
from vpr_tf.config import (
    ConfigError,
    DistillationConfig,
    DomainAdversarialConfig,
    MinedLossConfig,
    ObjectiveConfig,
    PairLossConfig,
    ProxyAnchorConfig,
    SimCLRConfig,
    TripletConfig,
    TwoViewConfig,
    VICRegConfig,
)
from vpr_tf.layers import GradientReversal
from vpr_tf.layers.l2_normalization import unit_vectors
from vpr_tf.training.objectives.objective import (
    BatchObjective,
    DomainObjective,
    LossFunction,
    Objective,
    TeacherObjective,
)

_TRIPLETS = {
    "all": losses.triplet,
    "hard": losses.triplet_hard,
    "semi_hard": losses.triplet_semi_hard,
}


def create_objective(
    config: ObjectiveConfig, descriptor_dim: int, num_classes: int
) -> Objective:
    """Makes a loss over descriptors; its variables under the strategy.

    Args:
        config: An entry of `train.objectives` other than the heads.
        descriptor_dim: Of the encoder.
        num_classes: Classes of the group.
    """
    if isinstance(config, ProxyAnchorConfig):
        return _proxy_anchor(config, descriptor_dim, num_classes)
    if isinstance(config, DomainAdversarialConfig):
        return _domain_adversarial(config, descriptor_dim)
    if isinstance(config, DistillationConfig):
        settings = config.settings
        return TeacherObjective(
            config.name,
            config.weight,
            lambda x, y: losses.distillation(_unit(x), _unit(y), **settings),
        )
    if isinstance(config, TwoViewConfig):
        return _of_views(config, descriptor_dim)
    if isinstance(config, PairLossConfig):
        function, pairs_of = _of_pairs(config), functools.partial(_pairs, config)
        return BatchObjective(
            config.name,
            config.weight,
            lambda x, classes: function(_unit(x), pairs_of(_unit(x), classes)),
            lambda x, classes: _is_lacking(pairs_of(_unit(x), classes)),
        )
    raise ConfigError(
        f"`train.objectives` has no loss over descriptors {config.name!r}."
    )


def objective_of_callable(function: LossFunction, weight: float = 1.0) -> Objective:
    """Makes an objective of a user's function.

    Args:
        function: Takes the descriptors of the whole batch, as the encoder gives them,
            and their class indices, int32 `(batch,)`; returns a scalar.
        weight: Factor in the sum.
    """
    name = getattr(function, "__name__", type(function).__name__)
    return BatchObjective(name, weight, function)


def _unit(descriptors: Any) -> Any:
    return unit_vectors(tf.cast(descriptors, tf.float32))


def _pairs(config: PairLossConfig, unit: Any, classes: Any) -> losses.Pairs:
    pairs = losses.pairs_of(classes)
    if isinstance(config, MinedLossConfig) and config.miner is not None:
        return losses.multi_similarity_pairs(unit, pairs, config.miner.epsilon)
    return pairs


def _is_lacking(pairs: losses.Pairs) -> tf.Tensor:
    has_both = tf.reduce_any(pairs.positive) & tf.reduce_any(pairs.negative)
    return tf.logical_not(has_both)


def _of_pairs(config: PairLossConfig) -> Callable[[Any, losses.Pairs], Any]:
    settings = config.settings
    if isinstance(config, TripletConfig):
        function = _TRIPLETS[settings.pop("mining")]
        if config.mining == "semi_hard":
            del settings["soft"]
        return functools.partial(function, **settings)
    return functools.partial(getattr(losses, config.name), **settings)


def _of_views(config: TwoViewConfig, descriptor_dim: int) -> Objective:
    settings = config.settings
    width = settings.pop("projector_dim")
    loss = functools.partial(getattr(losses, config.name), **settings)
    project = _projector(descriptor_dim, width)

    def function(descriptors: Any, classes: Any) -> Any:
        x = _unit(descriptors)
        if project is not None or isinstance(config, VICRegConfig):
            # Else no dimension could deviate by 1, since the squares add up to 1.
            x *= descriptor_dim**0.5
        if project is not None:
            x = project(x)
            x = _unit(x) if isinstance(config, SimCLRConfig) else x
        return loss(x[0::2], x[1::2])

    variables = [] if project is None else project.trainable_variables
    return BatchObjective(config.name, config.weight, function, variables=variables)


def _projector(inputs: int, width: int | None) -> keras.Sequential | None:
    """Returns the network before the loss; without the papers' batch norm."""
    if width is None:
        return None
    return keras.Sequential(
        [
            keras.Input((inputs,), dtype="float32"),
            keras.layers.Dense(width, "relu", dtype="float32", name="hidden"),
            keras.layers.Dense(width, dtype="float32", name="projected"),
        ],
        name="projector",
    )


def _proxy_anchor(
    config: ProxyAnchorConfig, descriptor_dim: int, num_classes: int
) -> Objective:
    proxies = keras.Variable(
        # As in the paper.
        keras.initializers.HeNormal()((num_classes, descriptor_dim)),
        dtype="float32",
        name="proxies",
    )
    settings = config.settings

    def function(descriptors: Any, classes: Any) -> Any:
        unit_proxies = _unit(proxies.value)
        return losses.proxy_anchor(
            _unit(descriptors), classes, unit_proxies, **settings
        )

    return BatchObjective(config.name, config.weight, function, variables=[proxies])


def _domain_adversarial(
    config: DomainAdversarialConfig, descriptor_dim: int
) -> Objective:
    classifier = keras.Sequential(
        [
            keras.Input((descriptor_dim,)),
            GradientReversal(config.reversal, dtype="float32"),
            keras.layers.Dense(config.hidden_units, "relu", dtype="float32"),
            keras.layers.Dense(1, dtype="float32"),
        ],
        name="domain_classifier",
    )
    variables = classifier.trainable_variables
    return DomainObjective(config.name, config.weight, classifier, variables=variables)
