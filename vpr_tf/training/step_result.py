"""What is told of a finished step, and what ends a run after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.training.errors import TrainingDivergedError
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.train_step import StepOutcome

# Halving the loss scale this often in a row cannot be an overflow of the scale.
_MAX_SKIPPED_STEPS = 40


@dataclass(frozen=True)
class StepResult:
    """One finished step.

    Attributes:
        step: Steps done so far, this one included.
        loss: Of the global batch: the weighted sum of the objectives.
        overflowed: Whether float16 gradients overflowed and the encoder stood still.
        each: The loss of each objective by its name, without its weight.
    """

    step: int
    loss: float
    overflowed: bool
    each: dict[str, float]


def finish_step(
    progress: TrainingProgress,
    outcome: StepOutcome,
    group_id: int,
    objective_names: Sequence[str],
    batch_size: int,
) -> StepResult:
    """Counts a step.

    Raises:
        TrainingDivergedError: The loss or a gradient is not finite.
    """
    step = progress.step + 1
    place = f"step {step} (epoch {progress.epoch}, group {group_id})"
    each = dict(zip(objective_names, outcome.each, strict=True))
    if not np.isfinite(outcome.loss):
        of = [name for name, value in each.items() if not np.isfinite(value)]
        named = f" ({', '.join(of)})" * (len(each) > 1)
        raise TrainingDivergedError(f"The loss is {outcome.loss}{named} at {place}.")
    if outcome.diverged:
        raise TrainingDivergedError(f"A gradient is not finite at {place}.")
    overflowed = outcome.overflowed > 0
    skipped = progress.skipped_steps + 1 if overflowed else 0
    if skipped > _MAX_SKIPPED_STEPS:
        raise TrainingDivergedError(
            f"float16 cannot hold the gradients at any loss scale, {skipped} steps "
            f"in a row up to {place}."
        )
    progress.skipped_steps = skipped
    progress.finish_step(group_id, outcome.loss, batch_size)
    progress.steps_without_pairs += outcome.lacks_pairs > 0
    return StepResult(progress.step, outcome.loss, overflowed, each)
