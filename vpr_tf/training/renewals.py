"""What is found anew by the encoder as it learns: cliques, labels of a target."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.config import CliqueSamplingConfig, TrainConfig
from vpr_tf.data.image_batches import SplitImages
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.target_photos import TargetLabels
from vpr_tf.training.clique_mining import CliqueMiner, Describe
from vpr_tf.training.encoder_copy import EncoderCopy
from vpr_tf.training.heads import HeadFactory
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.pseudo_labels import PseudoLabels
from vpr_tf.training.target_localization import TargetLocalizer


class Renewals:
    """Renews what batches depend on besides their position.

    Args:
        config: Training settings.
        factory: Of the heads, with the partition.
        seed: Seed of the run.
        strategy: Its chief finds what all workers use.
        build_encoder: Makes the network that trains.
        weights: Returns its weights; all workers call it.
        split: Record index of the train split.
        descriptors: Of the train split, with `config.input: descriptors`.
        localizer: Of the target, where its photos get labels.

    Attributes:
        miner: Finds the cliques, where classes are sampled by them.
        labels: Of the target's photos, where they get some.
    """

    def __init__(
        self,
        config: TrainConfig,
        factory: HeadFactory,
        seed: int,
        strategy: tf.distribute.Strategy,
        build_encoder: Callable[[], keras.Model],
        weights: Callable[[], list[np.ndarray]],
        split: SplitIndex,
        descriptors: np.ndarray | None,
        localizer: TargetLocalizer | None,
    ) -> None:
        self._partition: Partition = factory.partition
        self._together = factory.partition.groups_per_step
        self._with_places = factory.targets is not None
        describe = EncoderCopy(build_encoder, weights, config.image_size)
        self.miner: CliqueMiner | None = None
        if isinstance(config.sampling, CliqueSamplingConfig):
            of_train: Describe = functools.partial(describe, SplitImages(split))
            if descriptors is not None:
                of_train = descriptors.__getitem__
            self.miner = CliqueMiner(config, self._partition, seed, strategy, of_train)
        self.labels: PseudoLabels | None = None
        if localizer is not None and config.pseudo_labels is not None:
            wanted = config.pseudo_labels
            self.labels = PseudoLabels(
                *(wanted, self._partition, len(localizer.target), strategy),
                lambda: localizer.localize(
                    describe, wanted.min_confidence, factory.plane
                ),
                localizer.target.name,
            )

    def renew(
        self, progress: TrainingProgress, groups: Sequence[int], num_steps: int
    ) -> int:
        """Returns for how many of the next steps all is good; all workers call it.

        Raises:
            TrainingError: Too few cliques are found, or no labels.
        """
        if self.miner is not None:
            num_steps = min(num_steps, self.miner.renew(progress, groups))
        if self.labels is not None:
            num_steps = self.labels.renew(progress, num_steps)
        return num_steps

    def cliques_of(self, group_id: int) -> np.ndarray | None:
        """Returns the cliques of one of the groups that train now, if there are any."""
        if self.miner is None:
            return None
        return self.miner.cliques(group_id % self._together)

    def labels_of(self, group_id: int) -> TargetLabels | None:
        """Returns the photos of the target that count as of a group's classes."""
        if self.labels is None:
            return None
        return self.labels.labels(group_id, with_places=self._with_places)

    @property
    def logs(self) -> dict[str, float]:
        """What is known of the labels, for the logs of an epoch."""
        return {} if self.labels is None else self.labels.logs

    @property
    def states(self) -> dict[str, tf.train.experimental.PythonState]:
        """What a checkpoint stores, by name."""
        found = {"cliques": self.miner, "pseudo_labels": self.labels}
        return {name: one for name, one in found.items() if one is not None}
