"""All objectives of a group: those of the config, and functions of the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from vpr_tf.config import CLASS_HEADS, PseudoLabelsConfig, TrainConfig
from vpr_tf.layers import TrainingHead
from vpr_tf.training.heads import HeadFactory
from vpr_tf.training.objectives.creation import create_objective, objective_of_callable
from vpr_tf.training.objectives.objective import (
    HeadObjective,
    LossFunction,
    Objective,
    PseudoLabelObjective,
)


def create_objectives(
    config: TrainConfig,
    head_factory: HeadFactory,
    group_id: int,
    descriptor_dim: int,
    functions: Sequence[LossFunction] = (),
) -> list[Objective]:
    """Makes the objectives of a group, their variables under the strategy.

    Args:
        config: Lists objectives.
        head_factory: Makes the head, if it is one of them.
        group_id: The group.
        descriptor_dim: Of the encoder.
        functions: Of the user; they come last, with a weight of 1.

    Returns:
        At least one, with distinct names: a second of a name has a number behind it.
    """
    num_classes = len(head_factory.partition.classes_of_group(group_id))
    made: list[Objective] = []
    head: TrainingHead | None = None
    if config.has_class_heads:
        head = head_factory.create(group_id)
        head.build((None, descriptor_dim))
    for one in config.objective_configs:
        if head is not None and one.name == CLASS_HEADS:
            variables = head.trainable_variables
            made.append(HeadObjective(one.name, one.weight, head, variables=variables))
        elif head is not None and isinstance(one, PseudoLabelsConfig):
            made.append(PseudoLabelObjective(one.name, one.weight, head))
        else:
            made.append(create_objective(one, descriptor_dim, num_classes))
    return _with_distinct_names([*made, *map(objective_of_callable, functions)])


def heads_of(objectives: Sequence[Sequence[Objective]]) -> list[TrainingHead]:
    """Returns the heads among the objectives of all groups."""
    return [
        one.head
        for of_group in objectives
        for one in of_group
        if isinstance(one, HeadObjective)
    ]


def _with_distinct_names(objectives: Sequence[Objective]) -> list[Objective]:
    names: list[str] = []
    for one in objectives:
        number = 1 + sum(name.split("#")[0] == one.name for name in names)
        names.append(one.name if number == 1 else f"{one.name}#{number}")
    return [
        dataclasses.replace(one, name=name)
        for one, name in zip(objectives, names, strict=True)
    ]
