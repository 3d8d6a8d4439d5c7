"""Values of TensorFlow Addons 0.23, in an environment of its own (`make addons`).

    python benchmarks/addons_values.py VALUES.npz

It knows nothing of vpr_tf, which needs another TensorFlow; `python -m
benchmarks.addons` compares.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

NUM_STEPS = 20
SCALE = np.array([[1, 10, 0.1], [3, 0.01, 1]], "float32")
START = np.array([[1, -2, 3], [0.5, 0.1, -0.7]], "float32")


def main() -> int:
    """Writes the values."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    warnings.filterwarnings("ignore")
    values = dict(draw_inputs())
    for name, value in (*losses(values), *optimizers(), *schedules()):
        values[name] = np.asarray(value)
    np.savez(sys.argv[1], **values)  # type: ignore[arg-type]
    return 0


def draw_inputs() -> Iterator[tuple[str, np.ndarray]]:
    """Draws 24 unit descriptors of 6 places, and pairs."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 4)
    centres = rng.normal(size=(6, 32))
    descriptors = centres[labels] + 1.5 * rng.normal(size=(24, 32))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    yield "descriptors", descriptors.astype("float32")
    yield "labels", labels
    first, second = descriptors[0::4], descriptors[1::4]
    yield "similarity", (first @ second.T).astype("float32")
    yield "distance", np.linalg.norm(first - second, axis=1).astype("float32")
    yield "is_positive", np.array([1, 0, 1, 0, 0, 1], "float32")


def losses(inputs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields each loss and its gradient."""
    import tensorflow as tf
    import tensorflow_addons as tfa

    x, labels = inputs["descriptors"], inputs["labels"]
    found: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "triplet_semi_hard": (
            x,
            lambda x: tfa.losses.triplet_semihard_loss(labels, x, 1.0),
        ),
        "triplet_hard": (x, lambda x: tfa.losses.triplet_hard_loss(labels, x, 1.0)),
        "triplet_hard_soft": (
            x,
            lambda x: tfa.losses.triplet_hard_loss(labels, x, soft=True),
        ),
        "lifted_structure": (x, lambda x: tfa.losses.lifted_struct_loss(labels, x)),
        "n_pairs": (
            inputs["similarity"],
            lambda x: tfa.losses.npairs_loss(np.arange(6), x),
        ),
        "contrastive": (
            inputs["distance"],
            lambda x: tf.reduce_sum(
                tfa.losses.contrastive_loss(inputs["is_positive"], x)
            ),
        ),
    }
    for name, (start, function) in found.items():
        point = tf.constant(start)
        with tf.GradientTape() as tape:
            tape.watch(point)
            loss = function(point)
        yield f"loss/{name}", loss
        yield f"gradient/{name}", tape.gradient(loss, point)


def optimizers() -> Iterator[tuple[str, Any]]:
    """Yields the weights after each step down a stated function."""
    import tensorflow as tf
    import tensorflow_addons as tfa

    of = tfa.optimizers
    found = {
        "Lamb": of.LAMB(0.01),
        "RectifiedAdam": of.RectifiedAdam(0.01),
        "Yogi": of.Yogi(0.01),
        "NovoGrad": of.NovoGrad(0.01),
        "AdaBelief": of.AdaBelief(0.01),
        "Lookahead": of.Lookahead(tf.keras.optimizers.legacy.SGD(0.01), 6, 0.5),
        "SWA": of.SWA(tf.keras.optimizers.legacy.SGD(0.01), 0, 1),
    }
    for name, optimizer in found.items():
        yield f"optimizer/{name}", _descend(optimizer)


def _descend(optimizer: Any) -> np.ndarray:
    import tensorflow as tf

    variable, steps = tf.Variable(START), []
    for _ in range(NUM_STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(SCALE * variable**2 + tf.sin(3 * variable))
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])
        # Of SWA: the mean, which is what it is for.
        is_mean = "average" in optimizer.get_slot_names()
        found = optimizer.get_slot(variable, "average") if is_mean else variable
        steps.append(found.numpy())
    return np.stack(steps)


def schedules() -> Iterator[tuple[str, Any]]:
    """Yields the rates of 60 steps."""
    import tensorflow_addons as tfa

    rate = tfa.optimizers.Triangular2CyclicalLearningRate(1e-4, 1e-2, 10)
    yield "schedule/triangular2", [float(rate(float(step))) for step in range(60)]


if __name__ == "__main__":
    sys.exit(main())
