"""One step of every objective on one device and on two replicas.

Prints a JSON object: the largest difference of loss and weights after the step, over
their size if that is above 1, by objectives and gradient cache.
"""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.config import CLASS_HEADS, OBJECTIVES, OptimizerConfig, objective_of
from vpr_tf.data.training_batches import with_target
from vpr_tf.layers import CosineMarginHead
from vpr_tf.training.objectives import (
    HeadObjective,
    PseudoLabelObjective,
    create_objective,
    variables_of,
)
from vpr_tf.training.optimizers import create_optimizer
from vpr_tf.training.process import create_strategy
from vpr_tf.training.train_step import create_train_step

SGD = OptimizerConfig("SGD", 0.1)
DIM, NUM_CLASSES, NUM_IMAGES = 5, 4, 12
IMAGES = np.random.default_rng(0).normal(size=(NUM_IMAGES, 6)).astype("float32")
OF_TARGET = np.random.default_rng(2).normal(size=(NUM_IMAGES // 2, 6)).astype("float32")
TEACHER = np.random.default_rng(1).normal(size=(NUM_IMAGES, DIM)).astype("float32")
LABELS = np.array([1, -1, 3, 0, -1, -1], "int32")  # of those of the target
CLASSES = np.array([0, 0, 1, 1, 3, 3, 2, 2, 0, 0, 3, 3], "int32")


def small_encoder():
    images = keras.Input((6,))
    return keras.Model(images, keras.layers.Dense(DIM, activation="tanh")(images))


def create(name):
    config = objective_of({"name": name})
    of_heads = {CLASS_HEADS: HeadObjective, "pseudo_labels": PseudoLabelObjective}
    if name not in of_heads:
        return create_objective(config, DIM, NUM_CLASSES)
    head = CosineMarginHead(NUM_CLASSES)
    head.build((None, DIM))
    return of_heads[name](name, 1.0, head, variables=head.trainable_variables)


def after_a_step(strategy, names, chunk):
    rng = np.random.default_rng(3)
    with strategy.scope():
        encoder = small_encoder()
        objectives = [create(name) for name in names]
        optimizers = [create_optimizer(SGD, "encoder") for _ in range(2)]
        own = variables_of(objectives)
        for variable in (*encoder.weights, *own):
            variable.assign(rng.normal(size=variable.shape) * 0.5)
        optimizers[0].build(encoder.trainable_variables)
        optimizers[1].build(own)
    step = create_train_step(
        *(strategy, encoder, [objectives], optimizers[0]),
        optimizers[1] if own else None,
        gradient_cache_chunk=chunk,
    )

    def batches(context):
        share = NUM_IMAGES // context.num_replicas_in_sync
        targets = {"class_index": CLASSES, "teacher": TEACHER}
        data = tf.data.Dataset.from_tensor_slices((IMAGES, targets))
        labelled = OF_TARGET, {"class_index": LABELS}
        of_target = tf.data.Dataset.from_tensor_slices(labelled).batch(share // 2)
        return tf.data.Dataset.zip(data.batch(share), of_target).map(with_target)

    data = strategy.distribute_datasets_from_function(batches)
    batch = next(iter(data))
    outcome = step((batch,), tf.constant(0.0)).numpy()
    weights = [keras.ops.convert_to_numpy(v) for v in (*encoder.weights, *own)]
    return np.concatenate([outcome[:1], *(w.ravel() for w in weights)])


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    cases = [(name,) for name in OBJECTIVES.classes] + [tuple(OBJECTIVES.classes)]
    # One of each: exchanges of several in a process would be mistaken for each other.
    one, two = create_strategy("one_device"), create_strategy("mirrored")
    found = {}
    for names in cases:
        expected = after_a_step(one, names, None)
        for chunk in (None, 3) if len(names) > 1 else (None,):
            difference = np.abs(after_a_step(two, names, chunk) - expected)
            relative = difference / np.maximum(1, np.abs(expected))
            found[f"{'+'.join(names)} {chunk}"] = float(relative.max())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
