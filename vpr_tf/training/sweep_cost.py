"""What a sweep would still cost, measured on a few steps of each encoder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vpr_tf.config import ExperimentConfig
from vpr_tf.training.sweep import SweepRun

NUM_STEPS = 10
# Fields of `train` that change what a step costs.
_COSTLY = (
    *("batch_size", "image_size", "augmentation", "head", "encoder_optimizer"),
    *("head_optimizer", "groups_num", "strategy", "precision", "input"),
    *("jit_compile", "deterministic_ops", "objectives", "photos_per_class"),
    "gradient_cache_chunk",
)


@dataclass(frozen=True)
class SweepCost:
    """What is left of a combination.

    Attributes:
        run: How far it is.
        step_s: Seconds a step; None where no steps are left.
    """

    run: SweepRun
    step_s: float | None

    @property
    def total_s(self) -> float:
        """Seconds of its remaining steps, without val, tests and reports."""
        return self.run.steps_left * (self.step_s or 0.0)


def measure_step_s(config: ExperimentConfig) -> float:
    """Trains a few steps and forgets them; returns seconds a step, images included.

    The first step, which compiles, is not counted. No run folder is made.

    Raises:
        ConfigError: The config does not fit the dataset or the machine.
        TrainingError: A step diverged.
    """
    import keras

    from vpr_tf.training.train import trainer_of

    train = dataclasses.replace(config.train, iterations_per_epoch=NUM_STEPS + 1)
    trainer = trainer_of(dataclasses.replace(config, train=train))
    times = [time.monotonic() for _ in trainer.train_epoch()]
    keras.backend.clear_session()
    return (times[-1] - times[0]) / NUM_STEPS


def sweep_costs(
    runs: Sequence[SweepRun],
    measure: Callable[[ExperimentConfig], float] = measure_step_s,
) -> list[SweepCost]:
    """Measures a step of each distinct encoder that has steps left.

    Args:
        runs: Of the sweep.
        measure: Seconds of one step of a config.

    Raises:
        ConfigError: See `measure_step_s`.
    """
    known: dict[str, float] = {}
    costs = []
    for run in runs:
        config = run.combination.config
        step_s = None
        if run.steps_left:
            values = [getattr(config.train, name) for name in _COSTLY]
            key = repr((config.encoder, config.dataset, values))
            if key not in known:
                known[key] = measure(config)
            step_s = known[key]
        costs.append(SweepCost(run, step_s))
    return costs
