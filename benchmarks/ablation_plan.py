"""Which variants of Divide&Classify an ablation compares."""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.methods_runs import Experiment
from vpr_tf.config import ConfigError, DivideAndClassifyConfig


@dataclass(frozen=True, eq=False)
class Variant:
    """One training.

    Attributes:
        cell_size_m: Side of the cells (M).
        stride: Cells of a group are so many cells apart (N).
        head: `train.head.name`.
        experiment: What is trained.
    """

    cell_size_m: int
    stride: int
    head: str
    experiment: Experiment


def plan(
    base: Experiment,
    cell_sizes: Sequence[int],
    strides: Sequence[int],
    heads: Sequence[str],
) -> list[Variant]:
    """Varies one thing at a time: M, N, or the head; the others are those of the base.

    All variants see as many samples as the base. Epochs are a multiple of the N * N
    groups, so that each is trained equally often. The variant that equals the base has
    its name; others are named after it, e.g. `dense_dc_m50_n2`.

    Args:
        base: A config with the partition divide_and_classify.
        cell_sizes: Values of M in metres.
        strides: Values of N.
        heads: Values of `train.head.name`.

    Raises:
        ConfigError: The config has another partition, or a value cannot be.
    """
    partition, head = base.config.build.partition, base.config.train.head.name
    if not isinstance(partition, DivideAndClassifyConfig):
        raise ConfigError(
            "The ablation varies M and N of the partition divide_and_classify. "
            f"Received: build.partition.method={partition.method!r} in {base.path}"
        )
    size_m, stride = partition.cell_size_m, partition.cell_stride
    wanted = [(size_m, stride, head)]
    wanted += [(value, stride, head) for value in cell_sizes]
    wanted += [(size_m, value, head) for value in strides]
    wanted += [(size_m, stride, value) for value in heads]
    return [_variant(base, *values) for values in dict.fromkeys(wanted)]


def _variant(base: Experiment, cell_size_m: int, stride: int, head: str) -> Variant:
    config = base.config
    partition = typing.cast(DivideAndClassifyConfig, config.build.partition)
    changes = []
    name = config.name
    if (cell_size_m, stride) != (partition.cell_size_m, partition.cell_stride):
        folder = f"dc_m{cell_size_m}_n{stride}"
        name += f"_m{cell_size_m}_n{stride}"
        changes += [
            "dataset.partition=null",
            f"build.partition.name={folder}",
            f"build.partition.cell_size_m={cell_size_m}",
            f"build.partition.cell_stride={stride}",
        ]
    if stride != partition.cell_stride:
        changes += _schedule(base, stride * stride)
    if head != config.train.head.name:
        name += f"_{head}"
        changes += [f"train.head.name={head}"]
    if not changes:
        return Variant(cell_size_m, stride, head, base)
    overrides = [*base.overrides, f"name={name}", *changes]
    return Variant(cell_size_m, stride, head, Experiment.load(base.path, overrides))


def _schedule(base: Experiment, num_groups: int) -> list[str]:
    """As many steps as the base, in as many epochs for each group."""
    train = base.config.train
    steps = train.epochs * train.iterations_per_epoch
    epochs = num_groups * math.ceil(train.epochs / num_groups)
    iterations = max(1, round(steps / epochs))
    every = min(train.validate_every_epochs, epochs)
    return [
        f"train.groups_num={num_groups}",
        f"train.epochs={epochs}",
        f"train.iterations_per_epoch={iterations}",
        f"train.validate_every_epochs={every}",
    ]
