"""How far a run has come: the part of a checkpoint that is not weights."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from vpr_tf.stored_values import StoredValueError, from_stored, parse_json

_LEAST_IMPROVEMENT = 1e-4


@dataclass
class TrainingProgress:
    """Counters and decisions of a run, all that `--resume` needs besides weights.

    Attributes:
        step: Steps done over the whole run.
        epoch: The epoch that is being trained, or is trained next.
        step_in_epoch: Steps done of that epoch; equal to the steps of an epoch
            between its last step and the end of its validation.
        group_positions: For each group, samples drawn so far.
        epoch_loss_sum: Sum of the losses of the epoch's steps.
        steps_without_pairs: Steps of the epoch in which an objective had no pair of
            photos to learn from.
        best_recall: Highest R@1 on val so far, in percent.
        best_epoch: Epoch of the model in `best/`.
        best_val_loss: Lowest loss on val so far, of schedules that watch it.
        best_val_loss_epoch: Epoch that had it.
        learning_rate_factor: Product of the reductions on a plateau.
        last_reduction_epoch: Epoch after which the rate was last reduced.
        skipped_steps: Steps in a row whose float16 gradients overflowed.
        stopped_early: Whether early stopping ended the run.
        losses_crc32c: Of the lines of `losses.csv` up to this step; None of a run of
            a former version.
    """

    step: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    group_positions: list[int] = field(default_factory=list)
    epoch_loss_sum: float = 0.0
    best_recall: float | None = None
    best_epoch: int | None = None
    best_val_loss: float | None = None
    best_val_loss_epoch: int | None = None
    learning_rate_factor: float = 1.0
    last_reduction_epoch: int | None = None
    skipped_steps: int = 0
    stopped_early: bool = False
    losses_crc32c: int | None = None
    steps_without_pairs: int = 0

    def __post_init__(self) -> None:
        for field_ in dataclasses.fields(self):
            value = getattr(self, field_.name)
            for number in value if isinstance(value, list) else [value]:
                # A loss alone may be below zero.
                if number is not None and "loss" not in field_.name and number < 0:
                    raise StoredValueError(
                        f"`{field_.name}` must be 0 or more. Received: {value}"
                    )

    def check_counts(
        self, num_groups: int, steps_per_epoch: int, batch_size: int
    ) -> None:
        """Checks that the counters are those of one point in training.

        Raises:
            StoredValueError: No such run can have them together.
        """
        steps = [
            steps_per_epoch * len(range(group, self.epoch, num_groups))
            for group in range(num_groups)
        ]
        steps[self.epoch % num_groups] += self.step_in_epoch
        if (
            self.step_in_epoch > steps_per_epoch
            or self.step != sum(steps)
            or self.group_positions != [count * batch_size for count in steps]
        ):
            raise StoredValueError(
                f"step {self.step}, epoch {self.epoch}, step {self.step_in_epoch} of "
                f"it and the positions {self.group_positions} do not fit together"
            )

    def finish_step(self, group_id: int, loss: float, batch_size: int) -> None:
        """Counts one step of a group."""
        self.step += 1
        self.step_in_epoch += 1
        self.group_positions[group_id] += batch_size
        self.epoch_loss_sum += loss

    def finish_epoch(self) -> None:
        """Moves on to the next epoch."""
        self.epoch += 1
        self.step_in_epoch = 0
        self.epoch_loss_sum = 0.0
        self.steps_without_pairs = 0

    def record_recall(self, recall: float | None) -> bool:
        """Takes the epoch's R@1 and returns whether its model is the best so far.

        Strictly greater counts as better. None, without a validation set, always
        does: the last model is taken.
        """
        if recall is not None:
            if self.best_recall is not None and recall <= self.best_recall:
                return False
            self.best_recall = recall
        self.best_epoch = self.epoch
        return True

    def record_val_loss(self, epoch: int, loss: float) -> None:
        """Takes the epoch's loss on val; PyTorch's default threshold, relative."""
        best = self.best_val_loss
        if best is None or loss < best * (1 - _LEAST_IMPROVEMENT):
            self.best_val_loss, self.best_val_loss_epoch = loss, epoch

    def to_json(self) -> str:
        """Returns the exact state as JSON."""
        return json.dumps(dataclasses.asdict(self))

    def load_json(self, text: str | bytes) -> None:
        """Takes over a state written by `to_json`.

        Raises:
            StoredValueError: It is no such state; this one is as it was.
        """
        loaded = from_stored(TrainingProgress, parse_json(text))
        for field_ in dataclasses.fields(self):
            setattr(self, field_.name, getattr(loaded, field_.name))
