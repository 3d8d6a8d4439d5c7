"""The encoder's learning rate as a pure function of the step."""

from __future__ import annotations

import math

from vpr_tf.config import ScheduleConfig


def schedule_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Returns what the base learning rate is multiplied by at a step.

    Warm-up rises linearly and reaches the base rate at step `warmup_steps`. Cosine
    then falls from 1 to `final_fraction` at the last step; the others stay at 1
    (`reduce_on_plateau` multiplies by a factor of its own between epochs).

    Args:
        config: The schedule.
        step: Steps done before this one, over the whole run.
        total_steps: Steps of the whole run.
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.name != "cosine":
        return 1.0
    decay_steps = max(1, total_steps - 1 - config.warmup_steps)
    done = min(1.0, (step - config.warmup_steps) / decay_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * done))
    return config.final_fraction + (1.0 - config.final_fraction) * cosine
