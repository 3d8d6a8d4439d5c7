"""Compares vpr_tf with what TensorFlow Addons computed (`make addons`).

    python -m benchmarks.addons VALUES.npz

Prints the largest difference of each value, over the largest value, and ends with
status 1 if one is above its tolerance.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.addons_values import NUM_STEPS, SCALE, START
from vpr_tf import losses
from vpr_tf.config import (
    CyclicalScheduleConfig,
    LookaheadConfig,
    OptimizerConfig,
    WeightAverageConfig,
)
from vpr_tf.training.optimizers import (
    averaged_weights,
    create_optimizer,
    schedule_factor,
)

_TOLERANCE = 2e-5
# There 1 - beta_2 was taken in float32, which is off by 5e-5 of it.
_TOLERANCE_OF_OPTIMIZERS = 5e-5
_OPTIMIZERS = {
    "Lamb": OptimizerConfig("Lamb", 0.01, {"epsilon": 1e-6}),
    "RectifiedAdam": OptimizerConfig("RectifiedAdam", 0.01, {"epsilon": 1e-7}),
    "Yogi": OptimizerConfig("Yogi", 0.01),
    "NovoGrad": OptimizerConfig("NovoGrad", 0.01),
    "AdaBelief": OptimizerConfig("AdaBelief", 0.01),
    "Lookahead": OptimizerConfig("SGD", 0.01, lookahead=LookaheadConfig(6, 0.5)),
    "SWA": OptimizerConfig("SGD", 0.01, average=WeightAverageConfig(0, 1)),
}


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit status."""
    paths = sys.argv[1:] if arguments is None else arguments
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with np.load(paths[0]) as file:
        theirs = dict(file)
    worst = 0.0
    print(f"{'of TensorFlow Addons 0.23':32s} difference  tolerance")
    for name, ours in compute(theirs):
        expected = theirs[name]
        difference = np.abs(np.asarray(ours) - expected).max() / np.abs(expected).max()
        is_step = name.startswith("optimizer/")
        tolerance = _TOLERANCE_OF_OPTIMIZERS if is_step else _TOLERANCE
        print(f"{name:32s} {difference:10.1e} {tolerance:10.0e}")
        # A NaN is no agreement.
        worst = max(worst, np.nan_to_num(difference / tolerance, nan=np.inf))
    print("all equal" if worst <= 1 else "NOT EQUAL")
    return int(worst > 1)


def compute(theirs: dict[str, np.ndarray]) -> Iterator[tuple[str, Any]]:
    """Yields what vpr_tf makes of the same inputs."""
    pairs = losses.pairs_of(theirs["labels"])
    x = theirs["descriptors"]
    of_pairs: dict[str, Callable[[Any], Any]] = {
        "triplet_semi_hard": lambda x: losses.triplet_semi_hard(x, pairs, margin=1.0),
        "triplet_hard": lambda x: losses.triplet_hard(x, pairs, margin=1.0),
        "triplet_hard_soft": lambda x: losses.triplet_hard(x, pairs, soft=True),
        "lifted_structure": lambda x: losses.lifted_structure(x, pairs, margin=1.0),
    }
    for name, function in of_pairs.items():
        yield from _loss(name, x, function)
    yield from _loss(
        "n_pairs",
        theirs["similarity"],
        lambda x: losses.n_pairs_of_similarities(x, np.arange(6)),
    )
    is_positive = theirs["is_positive"]
    yield from _loss(
        "contrastive",
        theirs["distance"],
        lambda x: tf.reduce_sum(losses.contrastive_of_distances(x, is_positive)),
    )
    for name, config in _OPTIMIZERS.items():
        yield f"optimizer/{name}", _descend(config)
    schedule = CyclicalScheduleConfig(half_cycle_steps=10, cycle_factor=0.5)
    rates = [0.01 * schedule_factor(schedule, step, 60) for step in range(60)]
    yield "schedule/triangular2", rates


def _loss(
    name: str, start: np.ndarray, function: Callable[[Any], Any]
) -> Iterator[tuple[str, Any]]:
    point = tf.constant(start)
    with tf.GradientTape() as tape:
        tape.watch(point)
        loss = function(point)
    yield f"loss/{name}", loss
    yield f"gradient/{name}", tape.gradient(loss, point)


def _descend(config: OptimizerConfig) -> np.ndarray:
    optimizer = create_optimizer(config, "optimizer")
    variable, steps = keras.Variable(START), []
    optimizer.build([variable])
    for _ in range(NUM_STEPS):
        weights = variable.numpy()
        optimizer.apply([2 * SCALE * weights + 3 * np.cos(3 * weights)])
        averages = averaged_weights(optimizer)
        found = averages[0] if averages else variable
        steps.append(keras.ops.convert_to_numpy(found).copy())
    return np.stack(steps)


if __name__ == "__main__":
    sys.exit(main())
