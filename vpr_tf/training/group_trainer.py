"""Encoder, one head for each group, their optimizers, and the steps of an epoch."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.config import TrainConfig
from vpr_tf.data.extra_augmentations import ExtraAugmentations
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.target_photos import draw_whole_photos
from vpr_tf.data.training_batches import damaged_samples_named, training_batches
from vpr_tf.layers import GeneralizedMeanPooling2D, dtype_policy
from vpr_tf.models import merged_weights
from vpr_tf.training.checks import (
    Augment,
    augmented,
    check_augment,
    check_batch_size,
    check_chunks,
    check_exchange,
    check_groups,
    check_has_objectives,
    check_panoramas,
    check_photos_per_class,
    check_target,
    check_views,
)
from vpr_tf.training.heads import HeadFactory
from vpr_tf.training.objectives import LossFunction, Objective, variables_of
from vpr_tf.training.objectives.group import create_objectives, heads_of
from vpr_tf.training.optimizers import (
    LearningRate,
    averaged_weights,
    create_optimizer,
)
from vpr_tf.training.process import StatisticsAverager
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.renewals import Renewals
from vpr_tf.training.step_result import StepResult, finish_step
from vpr_tf.training.target_localization import TargetLocalizer
from vpr_tf.training.train_step import StepFunction, StepOutcome, create_train_step


class GroupTrainer:
    """Trains one group of classes per epoch, each with a head of its own.

    Epoch e trains group e % groups_num for `iterations_per_epoch` steps. A group
    goes on drawing samples where its last epoch stopped. Where groups of the partition
    train together (`Partition.groups_per_step`), each gives a batch and has a head of
    its own, and `groups_num` counts such sets of groups. All variables live under
    the strategy; their values do not depend on the number of replicas.

    Args:
        build_encoder: Makes the encoder; called under the strategy and the dtype
            policy of `config.precision`.
        split: Record index of the train split.
        partition: Classes and groups.
        config: Training settings.
        seed: Seed of the samples.
        strategy: Where the variables live.
        descriptors: Of the train split, with `config.input: descriptors`; the
            encoder then passes them on.
        augment: Applied to batches of images, floats `(batch, height, width, 3)` in
            [0, 1], after the built-in augmentation.
        objectives: Functions of the descriptors of a whole batch and their classes,
            which are learnt besides those of `config.objectives`.
        teacher: Gives what a teacher says of the train split in descriptors of a
            length, with `config.teacher`.
        target: With `config.target`, its photos.
        localizer: Of the target, where its photos get labels.

    Attributes:
        encoder: Images to descriptors, compiled with `encoder_optimizer` so that
            Keras callbacks find it.
        objectives: Of each trained group of the partition, in the order of
            `objective_names`.
        objective_names: No two alike.
        heads: One for each trained group; none without class heads.
        head_factory: What made them.
        head_optimizers: One for each set of groups, of what its objectives train
            besides the encoder; none if that is nothing.
        classes_left_out: Of each trained group, the classes with too few photos.
        average_statistics: Brings the replicas' batch norms together, as must happen
            before weights are read; all workers call it.
        progress: Counters; restored from a checkpoint before training goes on.
        renewals: What batches depend on that is found anew as the encoder learns.

    Raises:
        ConfigError: More groups are set than exist, a group has fewer than
            two classes, or the batch cannot be split over the replicas.

    Reference:
        Berton et al., "Rethinking Visual Geo-localization for Large-Scale
        Applications" (CosPlace), arXiv:2204.02287.
    """

    def __init__(
        self,
        build_encoder: Callable[[], keras.Model],
        split: SplitIndex,
        partition: Partition,
        config: TrainConfig,
        seed: int,
        strategy: tf.distribute.Strategy,
        descriptors: np.ndarray | None = None,
        augment: Augment | None = None,
        objectives: Sequence[LossFunction] = (),
        teacher: Callable[[int], np.ndarray] | None = None,
        target: EncodedSource | None = None,
        localizer: TargetLocalizer | None = None,
    ) -> None:
        self.config = config
        self.strategy = strategy
        self.classes_per_group = check_groups(partition, config.groups_num)
        self._together = partition.groups_per_step
        self.classes_left_out = check_photos_per_class(partition, config)
        check_has_objectives(config, objectives)
        check_target(config, target, strategy.num_replicas_in_sync)
        check_panoramas(split, partition, config)
        check_views(config, augment)
        check_batch_size(config.batch_size, strategy.num_replicas_in_sync)
        check_chunks(config, strategy.num_replicas_in_sync)
        if augment is not None:
            check_augment(augment, config.image_size)
        draw_target = draw_whole_photos(target, config.image_size) if target else None
        # Before any work.
        ExtraAugmentations(config.augmentation.extra_augmentations, draw_target)
        self._target = target
        self._split, self._partition, self._seed = split, partition, seed
        self._descriptors, self._augment = descriptors, augment
        self.head_factory = HeadFactory.of(config.head, partition, split)
        self._steps: dict[int, StepFunction] = {}
        self.progress = TrainingProgress(group_positions=[0] * config.groups_num)
        with strategy.scope():
            with dtype_policy(config.precision):
                self.encoder = build_encoder()
            length = self.encoder.output_shape[-1]
            self._teacher = teacher(length) if teacher else None
            self.encoder_optimizer = self._create_encoder_optimizer()
            self.encoder.compile(self.encoder_optimizer, auto_scale_loss=False)
            self.objectives = [
                create_objectives(
                    config,
                    self.head_factory,
                    group_id,
                    length,
                    objectives,
                )
                for group_id in range(config.groups_num * self._together)
            ]
            self.head_optimizers = self._create_head_optimizers()
        self.objective_names = [one.name for one in self.objectives[0]]
        self.heads = heads_of(self.objectives)
        check_exchange(config, strategy, self.objectives[0])
        self.average_statistics = StatisticsAverager(self.encoder, strategy)
        self.renewals = Renewals(
            *(config, self.head_factory, seed, strategy, build_encoder),
            *(self.encoder_weights, split, descriptors, localizer),
        )
        self._learning_rate = LearningRate(
            config, self.encoder_optimizer, self.head_optimizers, self.progress
        )

    def _create_encoder_optimizer(self) -> keras.optimizers.Optimizer:
        optimizer = create_optimizer(
            self.config.encoder_optimizer, "train.encoder_optimizer"
        )
        if self.config.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if self.encoder.trainable_variables:
            optimizer.build(self.encoder.trainable_variables)
        return optimizer

    def _create_head_optimizers(self) -> list[keras.optimizers.Optimizer]:
        optimizers = []
        for group_id in range(self.config.groups_num):
            of_groups = self._objectives_of(group_id)
            variables = [v for one in of_groups for v in variables_of(one)]
            if variables:
                settings = self.config.head_optimizer
                optimizer = create_optimizer(settings, "train.head_optimizer")
                optimizer.build(variables)
                optimizers.append(optimizer)
        return optimizers

    def _partition_groups(self, group_id: int) -> range:
        """Returns the groups of the partition that train together."""
        first = group_id * self._together
        return range(first, first + self._together)

    def _objectives_of(self, group_id: int) -> list[list[Objective]]:
        return [self.objectives[one] for one in self._partition_groups(group_id)]

    def _head_optimizer(self, group_id: int) -> keras.optimizers.Optimizer | None:
        return self.head_optimizers[group_id] if self.head_optimizers else None

    @property
    def group_id(self) -> int:
        """The group of the current epoch."""
        return self.progress.epoch % self.config.groups_num

    @property
    def learning_rates(self) -> tuple[float, float | None]:
        """Current rates of the encoder and of the current group's head, if any."""
        optimizer = self._head_optimizer(self.group_id)
        return (
            _to_float(self.encoder_optimizer.learning_rate),
            None if optimizer is None else _to_float(optimizer.learning_rate),
        )

    @property
    def gem_p(self) -> float | None:
        """Current exponent of the encoder's pooling; None if it has another one."""
        for layer in self.encoder.layers:
            if isinstance(layer, GeneralizedMeanPooling2D):
                return _to_float(layer.p)
        return None

    def train_epoch(
        self,
        *,
        finish_before: Callable[[int], bool] = lambda step: False,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Iterator[StepResult]:
        """Runs the rest of the current epoch's steps and yields their results.

        A result is yielded after the next step has been started, so that the device
        never waits for Python; but nothing is running when the last result is
        yielded, or one that `finish_before` names: then the state may be saved.

        Args:
            finish_before: Whether the state after this many steps will be saved.
            stop_requested: Called before each step. When it gives any worker True, all
                of them end the epoch after the same step.

        Raises:
            TrainingDivergedError: The loss or a gradient is not finite.
            TrainingError: Too few cliques are found, or no labels; see `Renewals`.
        """
        is_over = False
        while not is_over:
            count = self.config.iterations_per_epoch - self.progress.step_in_epoch
            if count <= 0:
                return
            count = self._renew(count)
            is_over = yield from self._run_steps(count, finish_before, stop_requested)

    def _renew(self, num_steps: int) -> int:
        """Returns for how many of the next steps what is found anew is good."""
        groups = self._partition_groups(self.group_id)
        return self.renewals.renew(self.progress, groups, num_steps)

    def _run_steps(
        self,
        remaining: int,
        finish_before: Callable[[int], bool],
        stop_requested: Callable[[], bool],
    ) -> Generator[StepResult, None, bool]:
        """Runs so many steps of the epoch; returns whether a worker asked to stop."""
        step_function = self._step_of_group(self.group_id)
        start = self.progress.group_positions[self.group_id]
        batches = iter(self._batches(remaining))
        running: deque[tf.Tensor] = deque()
        first = self.progress.step
        for step in range(first, first + remaining):
            self._learning_rate.set_for_step(step)
            with self._damage_named(start + (step - first) * self.config.batch_size):
                of_groups = next(batches)
            stop = tf.constant(float(stop_requested()))
            running.append(step_function(of_groups, stop))
            last = step + 1 == first + remaining or finish_before(step + 1)
            while len(running) > (0 if last else 1):
                outcome = StepOutcome.of(running.popleft().numpy())
                # After a request to stop nothing new starts.
                last = last or outcome.stop_requested > 0
                yield finish_step(
                    *(self.progress, outcome, self.group_id, self.objective_names),
                    self.config.batch_size,
                )
                if outcome.stop_requested and not running:
                    return True
        return False

    def first_images(self) -> np.ndarray:
        """Returns the images of the next batch without taking them."""
        position = self.progress.group_positions[self.group_id]
        self._renew(1)
        with self._damage_named(position):
            of_groups = next(iter(self._pipeline(self.config.batch_size)))
        return np.concatenate([images.numpy() for images, _ in of_groups])

    def encoder_weights(self) -> list[np.ndarray]:
        """Returns the encoder's weights; all workers must call it together.

        They are averages where its optimizer has some; the batch norms' statistics
        are always those of training. LoRA is merged into the weights that it changes.
        """
        self.average_statistics()
        trained = self.encoder.trainable_variables
        averages = averaged_weights(self.encoder_optimizer) or trained
        taken = {id(v): a for v, a in zip(trained, averages, strict=True)}
        return merged_weights(
            self.encoder, lambda v: keras.ops.convert_to_numpy(taken.get(id(v), v))
        )

    def _damage_named(self, position: int) -> contextlib.AbstractContextManager[None]:
        """Around taking the batch that starts at a sampler position."""
        groups = self._partition_groups(self.group_id)
        return damaged_samples_named(
            *(self._split, self._partition, groups, self.config, self._seed, position),
            target=self._target,
            cliques=[self.renewals.cliques_of(one) for one in groups],
        )

    def _batches(self, num_steps: int) -> tf.distribute.DistributedDataset:
        def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return self._pipeline(
                num_steps * self.config.batch_size,
                num_input_pipelines=context.num_input_pipelines,
                input_pipeline_id=context.input_pipeline_id,
                num_replicas=context.num_replicas_in_sync,
            )

        return self.strategy.distribute_datasets_from_function(make)

    def _pipeline(self, num_samples: int, **shares: int) -> tf.data.Dataset:
        """Returns a batch of each of the groups that train together, at each step."""
        groups = self._partition_groups(self.group_id)
        return tf.data.Dataset.zip(
            tuple(self._batches_of(one, num_samples, **shares) for one in groups)
        )

    def _batches_of(
        self, group_id: int, num_samples: int, **shares: int
    ) -> tf.data.Dataset:
        batches = training_batches(
            self._split,
            self._partition,
            group_id,
            self.config,
            self._seed,
            start_position=self.progress.group_positions[self.group_id],
            num_samples=num_samples,
            targets=self.head_factory.targets,
            descriptors=self._descriptors,
            cliques=self.renewals.cliques_of(group_id),
            teacher=self._teacher,
            target=self._target,
            target_labels=self.renewals.labels_of(group_id),
            **shares,
        )
        if self._augment is None:
            return batches
        augment = self._augment
        # One after another, so that layers with random states repeat themselves.
        shape = batches.element_spec[0].shape
        return batches.map(
            lambda x, y: (tf.ensure_shape(augmented(augment, x), shape), y)
        ).prefetch(2)

    def _step_of_group(self, group_id: int) -> StepFunction:
        if group_id not in self._steps:
            self._steps[group_id] = create_train_step(
                self.strategy,
                self.encoder,
                self._objectives_of(group_id),
                self.encoder_optimizer,
                self._head_optimizer(group_id),
                jit_compile=self.config.jit_compile,
                gradient_cache_chunk=self.config.gradient_cache_chunk,
            )
        return self._steps[group_id]


def _to_float(variable: keras.Variable) -> float:
    # float() does not read a variable with a copy on each replica.
    return float(keras.ops.convert_to_numpy(variable))
