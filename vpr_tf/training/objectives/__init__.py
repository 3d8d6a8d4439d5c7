"""What is learnt of a batch: heads over classes, losses over descriptors, their sum."""

from vpr_tf.training.objectives.creation import create_objective, objective_of_callable
from vpr_tf.training.objectives.objective import (
    HeadObjective,
    Losses,
    LossFunction,
    Objective,
    PseudoLabelObjective,
    ReplicaBatch,
    losses_of,
    variables_of,
)

__all__ = [
    "HeadObjective",
    "LossFunction",
    "Losses",
    "Objective",
    "PseudoLabelObjective",
    "ReplicaBatch",
    "create_objective",
    "losses_of",
    "objective_of_callable",
    "variables_of",
]
