"""Which variants of Divide&Classify an ablation compares."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.methods_runs import Experiment
from vpr_tf.config import ConfigError, DivideAndClassifyConfig, MarginHeadConfig


@dataclass(frozen=True)
class Choice:
    """What an ablation varies.

    Attributes:
        cell_size_m: Side of the cells (M).
        stride: Cells of a group are so many cells apart (N).
        head: `train.head.name`.
        scale: Factor of the cosine (s); None for heads without a margin.
        margin: Margin (m); None likewise.
    """

    cell_size_m: int
    stride: int
    head: str
    scale: float | None = None
    margin: float | None = None

    @classmethod
    def of(cls, base: Experiment) -> Choice:
        """Returns that of a config.

        Raises:
            ConfigError: The config has another partition.
        """
        partition, head = base.config.build.partition, base.config.train.head
        if not isinstance(partition, DivideAndClassifyConfig):
            raise ConfigError(
                "The ablation varies M and N of the partition divide_and_classify. "
                f"Received: build.partition.method={partition.method!r} in {base.path}"
            )
        size_m, stride = partition.cell_size_m, partition.cell_stride
        if isinstance(head, MarginHeadConfig):
            return cls(size_m, stride, head.name, head.scale, head.margin)
        return cls(size_m, stride, head.name)

    def varied(self, field: str, value: typing.Any) -> Choice:
        """Returns this one with another value of one field.

        Raises:
            ConfigError: The head has no such value.
        """
        if field in ("scale", "margin") and getattr(self, field) is None:
            raise ConfigError(
                f"The head {self.head} has no {field} to vary. Start from a config "
                "with cosine_margin or angular_margin."
            )
        changes = {field: value}
        if field == "head" and not value.endswith("_margin"):
            changes |= {"scale": None, "margin": None}
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Variant:
    """One training.

    Attributes:
        choice: What it differs in.
        experiment: What is trained.
    """

    choice: Choice
    experiment: Experiment


def plan(base: Experiment, values: Mapping[str, Sequence[typing.Any]]) -> list[Variant]:
    """Varies one thing at a time; the others are those of the base.

    All variants see as many samples as the base. Epochs are a multiple of the N * N
    groups, so that each is trained equally often. The variant that equals the base has
    its name; others are named after it, e.g. `dense_dc_m50_n2`.

    Args:
        base: A config with the partition divide_and_classify.
        values: Of fields of `Choice`.

    Raises:
        ConfigError: The config has another partition, or a value cannot be.
    """
    own = Choice.of(base)
    varied = [own.varied(name, v) for name, of_name in values.items() for v in of_name]
    return [_variant(base, own, choice) for choice in dict.fromkeys([own, *varied])]


def _variant(base: Experiment, own: Choice, choice: Choice) -> Variant:
    size_m, stride = choice.cell_size_m, choice.stride
    changes, name = [], base.config.name
    if (size_m, stride) != (own.cell_size_m, own.stride):
        name += f"_m{size_m}_n{stride}"
        changes += [
            "dataset.partition=null",
            f"build.partition.name=dc_m{size_m}_n{stride}",
            f"build.partition.cell_size_m={size_m}",
            f"build.partition.cell_stride={stride}",
        ]
    if stride != own.stride:
        changes += _schedule(base, stride * stride)
    if choice.head != own.head:
        name += f"_{choice.head}"
        changes += [f"train.head.name={choice.head}"]
    for field in ("scale", "margin"):
        value = getattr(choice, field)
        if value not in (None, getattr(own, field)):
            name += f"_{field}{value:g}"
            changes += [f"train.head.{field}={value}"]
    if not changes:
        return Variant(choice, base)
    overrides = [*base.overrides, f"name={name}", *changes]
    return Variant(choice, Experiment.load(base.path, overrides))


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
