"""Images per second of a training step, input apart.

    python -m benchmarks.training_step [--backbone ResNet18] [--image-size 224]
        [--policies float32 mixed_bfloat16] [--objectives class_heads multi_similarity]
        [--jit-compile] [--peer] [...]

A step is that of `train_keras.py`: forward, backward, the Adam update of the encoder
and that of a CosFace head, on random images; or with a loss over descriptors instead
of the head, four photos of a place behind each other. The CPU column is by CPU time
over all cores, so it holds while other programs run. A CPU without bfloat16
instructions emulates them, many times slower than float32. With --peer
the same step in PyTorch follows each line of heads, where PyTorch is installed; see
`benchmarks.pytorch_peer`.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks import pytorch_peer
from benchmarks.figures import record
from benchmarks.timing import Rate, describe_machine, measure_rate, times_faster
from vpr_tf.config import OBJECTIVES, EncoderConfig, OptimizerConfig
from vpr_tf.layers import CosineMarginHead
from vpr_tf.models import build_encoder
from vpr_tf.training.objectives import HeadObjective, Objective, create_objective
from vpr_tf.training.optimizers import create_optimizer
from vpr_tf.training.process import create_strategy
from vpr_tf.training.train_step import create_train_step

_HEADS = "class_heads"
_PHOTOS_PER_PLACE = 4


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """What is measured; see the command's help."""

    encoder: EncoderConfig
    image_size: int
    num_classes: int
    batch_size: int
    policy: str
    jit_compile: bool
    objective: str = "class_heads"


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one line for each policy."""
    options = _parse(arguments)
    encoder = EncoderConfig(
        options.backbone,
        options.descriptor_dim,
        train_from_stage=options.train_from_stage,
        bn_mode=options.bn_mode,
        weights="none",
    )
    print(
        f"{describe_machine()}; {encoder.backbone}, {options.image_size}x"
        f"{options.image_size}, {options.num_classes} classes, batch "
        f"{options.batch_size}, trains from stage {encoder.train_from_stage}, "
        f"bn_mode {encoder.bn_mode}"
    )
    print(f"{'':32s} {'images/s':>9s} {'by CPU':>9s}")
    for policy, objective in itertools.product(options.policies, options.objectives):
        step = create_step(
            StepOptions(
                encoder,
                options.image_size,
                options.num_classes,
                options.batch_size,
                policy,
                options.jit_compile,
                objective,
            )
        )
        rate = measure_rate(step, options.batch_size, options.steps)
        name = policy + (", jit_compile" if options.jit_compile else "")
        name += "" if objective == _HEADS else f", {objective}"
        print(f"{name:32s} {rate.per_second:9.1f} {rate.per_second_of_cpu:9.1f}")
        has_peer = options.peer and objective == _HEADS
        peer = _peer_rate(options, policy) if has_peer else None
        record(
            "training_step",
            f"{options.backbone}, {options.image_size} px, {name}",
            rate.per_second,
            "images/s",
            peer=pytorch_peer.PEER if peer else "",
            ratio=times_faster(rate, peer) if peer else None,
        )


def _peer_rate(options: argparse.Namespace, policy: str) -> Rate | None:
    """Prints the rate of the same step in PyTorch and returns it.

    None where it cannot be measured.
    """
    peer = pytorch_peer.PeerOptions(
        options.backbone,
        options.descriptor_dim,
        options.image_size,
        options.batch_size,
        policy,
        options.train_from_stage,
    )
    if why_not := pytorch_peer.why_no_peer(peer):
        print(f"  {why_not}")
        return None
    step = pytorch_peer.training_step(peer, options.num_classes)
    rate = measure_rate(step, options.batch_size, options.steps)
    print(f"  {'PyTorch':30s} {rate.per_second:9.1f} {rate.per_second_of_cpu:9.1f}")
    return rate


def create_step(options: StepOptions) -> Callable[[], object]:
    """Returns a function that makes one training step and waits for its loss."""
    keras.utils.set_random_seed(0)
    strategy = create_strategy("one_device")
    keras.config.set_dtype_policy(options.policy)
    try:
        with strategy.scope():
            encoder = build_encoder(options.encoder)
            objective = _objective(options, encoder.descriptor_dim)
            encoder_optimizer = create_optimizer(OptimizerConfig(), "encoder")
            if options.policy == "mixed_float16":
                encoder_optimizer = keras.optimizers.LossScaleOptimizer(
                    encoder_optimizer
                )
            encoder_optimizer.build(encoder.trainable_variables)
            head_optimizer = None
            if objective.variables:
                head_optimizer = create_optimizer(
                    OptimizerConfig(learning_rate=0.01), "head"
                )
                head_optimizer.build(objective.variables)
    finally:
        keras.config.set_dtype_policy("float32")
    step = create_train_step(
        strategy,
        encoder,
        [[objective]],
        encoder_optimizer,
        head_optimizer,
        jit_compile=options.jit_compile,
    )
    rng = np.random.default_rng(0)
    shape = (options.batch_size, options.image_size, options.image_size, 3)
    images = tf.constant(rng.random(shape, "float32"))
    classes = rng.integers(0, options.num_classes, shape[0])
    if options.objective != _HEADS:
        classes = np.arange(shape[0]) // _PHOTOS_PER_PLACE
    targets = {"class_index": tf.constant(classes)}
    return lambda: step(((images, targets),), tf.constant(0.0)).numpy()


def _objective(options: StepOptions, descriptor_dim: int) -> Objective:
    if options.objective != _HEADS:
        config = OBJECTIVES.create(name=options.objective)
        return create_objective(config, descriptor_dim, options.num_classes)
    head = CosineMarginHead(options.num_classes)
    head.build((None, descriptor_dim))
    return HeadObjective(_HEADS, 1.0, head, variables=head.trainable_variables)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="ResNet18")
    parser.add_argument("--descriptor-dim", type=int, default=512)
    parser.add_argument("--train-from-stage", type=int, default=3)
    parser.add_argument("--bn-mode", choices=("torch", "keras"), default="torch")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--num-classes", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--policies", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--objectives", nargs="+", default=[_HEADS])
    parser.add_argument("--jit-compile", action="store_true", help="XLA")
    parser.add_argument("--peer", action="store_true", help="PyTorch beside it")
    parser.add_argument("--steps", type=int, default=5, help="steps timed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
