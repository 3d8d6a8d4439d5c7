"""Labels of a target's photos: found by the encoder, renewed as it learns, stored."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from vpr_tf.config import PseudoLabelsConfig
from vpr_tf.data.partition import Partition
from vpr_tf.data.target_photos import TargetLabels
from vpr_tf.stored_values import StoredValueError, from_stored, parse_json
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.process import values_of_chief
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.target_localization import TargetPlaces

_LOG = logging.getLogger(__name__)
TAKEN, RIGHT = "pseudo_labels", "pseudo_labels_right"


@dataclass
class _State:
    """What a checkpoint holds: the labels that are in use.

    Attributes:
        renewal: How often they had been renewed; -1 before the first time.
        rows: See `TargetPlaces`; likewise the others.
    """

    renewal: int = -1
    rows: list[int] = field(default_factory=list)
    record_ids: list[int] = field(default_factory=list)
    places: list[list[float]] = field(default_factory=list)
    num_known: int = 0
    num_right: int = 0


class PseudoLabels(tf.train.experimental.PythonState):
    """Localizes the photos of a target, at a step and every so many steps after it.

    What is found depends on the encoder alone. What is in use is part of a checkpoint,
    so that a run that goes on has the batches of one that was never stopped.

    Args:
        config: When, and which photos are taken.
        partition: Classes and groups.
        num_photos: Of the target.
        strategy: Its chief's labels are those of all workers.
        localize: Localizes by the encoder as it is; all workers call it.
        name: What the photos are, for people.
    """

    def __init__(
        self,
        config: PseudoLabelsConfig,
        partition: Partition,
        num_photos: int,
        strategy: tf.distribute.Strategy,
        localize: Callable[[], TargetPlaces],
        name: str,
    ) -> None:
        self._config, self._partition = config, partition
        self._num_photos, self._name = num_photos, name
        self._strategy, self._localize = strategy, localize
        self._state = _State()

    @property
    def logs(self) -> dict[str, float]:
        """What is known of the labels in use; nothing before the first ones.

        `TAKEN` is the number of photos that have one, `RIGHT` how many percent of those
        of known position are taken to be near it.
        """
        state = self._state
        if state.renewal < 0:
            return {}
        logs: dict[str, float] = {TAKEN: len(state.rows)}
        if state.num_known:
            logs[RIGHT] = 100 * state.num_right / state.num_known
        return logs

    def renew(self, progress: TrainingProgress, num_steps: int) -> int:
        """Sees that the labels are those of the next step; all workers call it.

        Args:
            progress: Says which step.
            num_steps: How many follow.

        Returns:
            For how many of them they are good.

        Raises:
            TrainingError: No photo is taken, and none ever will.
        """
        config, since = self._config, progress.step - self._config.start_step
        if since < 0:
            return min(num_steps, -since)
        renewal, step, every = 0, 0, config.renew_every_steps
        if every is not None:
            renewal, step = divmod(since, every)
        if self._state.renewal != renewal:
            found = self._of_chief(self._localize())
            self._state = dataclasses.replace(found, renewal=renewal)
            self._tell(progress.step)
        return num_steps if every is None else min(num_steps, every - step)

    def labels(self, group_id: int, *, with_places: bool) -> TargetLabels | None:
        """Returns the photos that count as of a group's classes.

        Args:
            group_id: Group of the partition.
            with_places: Whether the head learns places.
        """
        state, partition = self._state, self._partition
        if state.renewal < 0:
            return None
        classes = partition.classes_of_group(group_id)
        offsets = partition.class_offsets[classes.start : classes.stop + 1]
        records = np.asarray(partition.record_ids[offsets[0] : offsets[-1]])
        class_index = np.repeat(
            np.arange(len(classes), dtype=np.int32), np.diff(offsets)
        )
        order = np.argsort(records, kind="stable")
        wanted = np.array(state.record_ids, np.int64)
        at = np.searchsorted(records, wanted, sorter=order)
        found = order[np.minimum(at, len(records) - 1)]
        is_here = np.flatnonzero(records[found] == wanted)
        place = None
        if with_places:
            place = np.array(state.places, np.float32).reshape(-1, 4)[is_here]
        rows = np.array(state.rows, np.int64)
        return TargetLabels(rows[is_here], class_index[found[is_here]], place)

    def serialize(self) -> str:
        """Returns what a checkpoint stores."""
        return json.dumps(dataclasses.asdict(self._state))

    def deserialize(self, string_value: bytes | str) -> None:
        """Takes over what a checkpoint stores.

        Raises:
            StoredValueError: It holds no labels of these photos.
        """
        state = from_stored(_State, parse_json(string_value))
        count, rows = len(state.rows), set(state.rows)
        fits = len(rows) == count and rows <= set(range(self._num_photos))
        fits &= len(state.record_ids) == count and len(state.places) in (0, count)
        fits &= all(len(place) == 4 for place in state.places)
        if not fits or not 0 <= state.num_right <= state.num_known <= count:
            raise StoredValueError("the stored labels are not of these photos")
        self._state = state

    def _tell(self, step: int) -> None:
        state, wanted = self._state, self._config.min_confidence
        count, all_photos = f"{len(state.rows):,}", f"{self._num_photos:,}"
        if not state.rows:
            message = (
                f"No label at step {step}: of {all_photos} photos of {self._name} none "
                f"is localized with a confidence of {wanted:g} or more."
            )
            if self._config.renew_every_steps is None:
                raise TrainingError(
                    f"{message} Lower `min_confidence` of pseudo_labels in "
                    "`train.objectives`, or train longer before, by `start_step`."
                )
            _LOG.warning("%s Training goes on without until the next renewal.", message)
            return
        right = ""
        if RIGHT in self.logs:
            right = (
                f"; of {state.num_known:,} whose position is known "
                f"{self.logs[RIGHT]:.1f} % are right, which is not used"
            )
        _LOG.info(
            "Labels at step %d: %s of %s photos of %s are taken, localized with a "
            "confidence of %g or more%s",
            *(step, count, all_photos, self._name, wanted, right),
        )

    def _of_chief(self, found: TargetPlaces) -> _State:
        """Gives every worker what the chief found."""
        count, num_places, *numbers = self._from_chief(
            [len(found.rows), len(found.places), found.num_known, found.num_right]
        )
        parts = [found.rows, found.record_ids, found.places.ravel()]
        sizes = [count, count, 4 * num_places]
        own = (
            np.concatenate(parts) if len(found.rows) == count else np.zeros(sum(sizes))
        )
        values = np.array(values_of_chief(self._strategy, own.tolist()))
        rows, records, places = np.split(values, np.cumsum(sizes)[:-1])
        return _State(
            0,
            rows.astype(np.int64).tolist(),
            records.astype(np.int64).tolist(),
            places.reshape(-1, 4).tolist(),
            *numbers,
        )

    def _from_chief(self, counts: list[int]) -> list[int]:
        return [
            round(n) for n in values_of_chief(self._strategy, [*map(float, counts)])
        ]
