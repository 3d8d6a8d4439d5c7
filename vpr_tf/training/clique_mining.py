"""The cliques of a run: found by its encoder, renewed as it learns, and stored."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from vpr_tf.config import CliqueSamplingConfig, TrainConfig
from vpr_tf.data.class_sampler import classes_with_photos
from vpr_tf.data.cliques import find_cliques, similarity_in_cliques
from vpr_tf.data.partition import Partition
from vpr_tf.geo import Positions, ecef
from vpr_tf.stored_values import StoredValueError, from_stored, parse_json
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.process import is_chief, values_of_chief
from vpr_tf.training.progress import TrainingProgress

_LOG = logging.getLogger(__name__)
# From positions in the train split to descriptors.
Describe = Callable[[np.ndarray], np.ndarray]


@dataclass
class _State:
    """What a checkpoint holds: the cliques that are in use.

    Attributes:
        epoch: Epoch in which they were found.
        renewal: How often cliques had been renewed in it.
        cliques: Of each group that trains in a step, the classes of each clique.
    """

    epoch: int = -1
    renewal: int = -1
    cliques: list[list[list[int]]] = field(default_factory=list)


class CliqueMiner(tf.train.experimental.PythonState):
    """Finds cliques of classes, at the start of each epoch and every so many steps.

    What it draws is a function of (seed, group, epoch, renewal) alone, and what it
    finds of that and of the encoder. What is in use is part of a checkpoint, so that a
    run that goes on has the batches of one that was never stopped.

    Args:
        config: Training settings; sampling by cliques.
        partition: Classes and groups.
        seed: Seed of the run.
        strategy: Its chief finds the cliques of all workers.
        describe: Describes photos by the encoder as it is; all workers call it.
    """

    def __init__(
        self,
        config: TrainConfig,
        partition: Partition,
        seed: int,
        strategy: tf.distribute.Strategy,
        describe: Describe,
    ) -> None:
        if not isinstance(config.sampling, CliqueSamplingConfig):
            raise ValueError(
                "`config.sampling` must be of cliques. Received: "
                f"{config.sampling.name!r}"
            )
        self._config, self._sampling = config, config.sampling
        self._partition, self._seed = partition, seed
        self._strategy, self._describe = strategy, describe
        self._state = _State()

    def renew(self, progress: TrainingProgress, groups: Sequence[int]) -> int:
        """Sees that the cliques are those of the next step; all workers call it.

        Returns:
            Steps that they are good for.

        Raises:
            TrainingError: There are too few for a batch.
        """
        every = self._sampling.renew_every_steps
        renewal, step = divmod(progress.step_in_epoch, every)
        state = self._state
        if (state.epoch, state.renewal) != (progress.epoch, renewal):
            found = [self._find(group, progress, renewal).tolist() for group in groups]
            self._state = _State(progress.epoch, renewal, found)
        return every - step

    def cliques(self, number: int) -> np.ndarray:
        """Returns the cliques of one of the groups of a step, the first being 0."""
        return np.array(self._state.cliques[number], np.int64)

    def serialize(self) -> str:
        """Returns what a checkpoint stores."""
        return json.dumps(dataclasses.asdict(self._state))

    def deserialize(self, string_value: bytes | str) -> None:
        """Takes over what a checkpoint stores.

        Raises:
            StoredValueError: It holds no cliques of these classes.
        """
        state = from_stored(_State, parse_json(string_value))
        together = self._partition.groups_per_step
        first = state.epoch % self._config.groups_num * together
        for number, of_group in enumerate(state.cliques):
            classes = self._partition.classes_of_group(first + number)
            flat = [one for clique in of_group for one in clique]
            sizes = {len(clique) for clique in of_group}
            is_known = set(flat) <= set(range(len(classes)))
            if sizes != {self._sampling.clique_size} or not (
                is_known and len(set(flat)) == len(flat) and number < together
            ):
                raise StoredValueError("the stored cliques are not of these classes")
        self._state = state

    def _find(
        self, group_id: int, progress: TrainingProgress, renewal: int
    ) -> np.ndarray:
        """Returns class indices, `(num_cliques, clique_size)`, the chief's."""
        partition, settings = self._partition, self._sampling
        key = [self._seed, group_id, progress.epoch, renewal]
        rng = np.random.default_rng(key)
        enough = classes_with_photos(partition, group_id, self._config.photos_per_class)
        classes = rng.permutation(enough)[: settings.pool_classes]
        ids = classes + partition.classes_of_group(group_id).start
        first, last = partition.class_offsets[ids], partition.class_offsets[ids + 1]
        photos = partition.record_ids[rng.integers(first, last)]
        descriptors = self._describe(photos)
        found = np.empty((0, settings.clique_size), np.int64)
        if is_chief(self._strategy):
            table = partition.classes[ids]
            centres = Positions.from_utm(
                table["centre_east_m"], table["centre_north_m"], table["utm_zone"]
            )
            found = find_cliques(
                descriptors,
                ecef.from_positions(centres),
                settings.clique_size,
                settings.min_distance_m,
            )
        cliques = classes[self._of_chief(found)]
        self._refuse_too_few(cliques, group_id, len(classes))
        if len(found):
            inside, everywhere = similarity_in_cliques(descriptors, found)
            _LOG.info(
                "Cliques of group %d at step %d: %s of %d of %s classes; similarity "
                "%.3f in a clique, %.3f in all",
                *(group_id, progress.step, f"{len(cliques):,}"),
                *(settings.clique_size, f"{len(classes):,}", inside, everywhere),
            )
        return np.asarray(cliques)

    def _of_chief(self, found: np.ndarray) -> np.ndarray:
        strategy, size = self._strategy, self._sampling.clique_size
        count = round(values_of_chief(strategy, [float(len(found))])[0])
        own = found.ravel() if len(found) == count else np.zeros(count * size)
        return np.array(values_of_chief(strategy, own.tolist()), np.int64).reshape(
            -1, size
        )

    def _refuse_too_few(
        self, cliques: np.ndarray, group_id: int, num_classes: int
    ) -> None:
        config, settings = self._config, self._sampling
        in_a_batch = config.batch_size // config.photos_per_class
        needed = in_a_batch // settings.clique_size
        if len(cliques) < needed:
            raise TrainingError(
                f"A batch has {needed} cliques of {settings.clique_size} classes, and "
                f"of {num_classes:,} classes of group {group_id} of partition "
                f"{self._partition.name!r} {len(cliques)} could be made that lie "
                f"{settings.min_distance_m:g} m apart. Lower `train.sampling."
                "clique_size`, `train.sampling.min_distance_m` or `train.batch_size`."
            )
