"""A whole training run, from the config to the tested and exported encoder."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from vpr_tf.classification import ClassTable, require_ground
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import (
    ConfigError,
    EncoderConfig,
    ExperimentConfig,
    PlateauScheduleConfig,
)
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation.protocols import check_protocol_sets
from vpr_tf.extraction import Target
from vpr_tf.models import build_encoder, build_with_lora, with_run_weights
from vpr_tf.training.callbacks import CheckpointSaver, decision_callbacks
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.checks import Augment
from vpr_tf.training.encoders import (
    FixedDescriptors,
    build_plain_encoder,
    identity_encoder,
    start_from_clusters,
)
from vpr_tf.training.epoch_loop import EpochLoop, Validator
from vpr_tf.training.errors import TrainingError, TrainingInterruptedError
from vpr_tf.training.final_report import finish_run
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.heads import classifier_from_heads
from vpr_tf.training.objectives import LossFunction
from vpr_tf.training.process import (
    StopSignal,
    create_strategy,
    is_chief,
    run_log,
    stop_on_signals,
    values_of_chief,
)
from vpr_tf.training.result import TrainingResult
from vpr_tf.training.resume import (
    check_same_data,
    find_run,
    initial_weights,
    model_of_teacher,
    restore_run,
    tell_other_run,
)
from vpr_tf.training.run_folder import RunFolder, create_run_folder, full_disk_told
from vpr_tf.training.run_writers import (
    RunWriters,
    announce,
    data_facts,
    model_facts,
)
from vpr_tf.training.target_localization import TargetLocalizer
from vpr_tf.training.teacher import Teacher
from vpr_tf.training.val_loss import ValLoss

_LOG = logging.getLogger(__name__)


def train(
    config: ExperimentConfig,
    *,
    resume: bool | str | Path = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    augment: Augment | None = None,
    objectives: Sequence[LossFunction] = (),
) -> TrainingResult:
    """Trains, validates each epoch, tests the best model and exports it.

    Args:
        config: The experiment.
        resume: False starts a new run; True goes on with the newest run of the
            config's name, a path with that run.
        callbacks: Further Keras callbacks; they see the encoder as their model and
            the logs that `vpr_tf.training.callbacks` lists.
        augment: A function or a Keras layer from images to images, applied in the
            input pipeline to batches `(batch, height, width, 3)` of floats in [0, 1],
            after `train.augmentation`. What it draws itself is not repeated on
            resume.
        objectives: Functions `(descriptors, labels) -> loss` of TensorFlow or Keras
            operations, added to what `train.objectives` lists: of the descriptors of
            the whole batch, float32 `(batch, descriptor_dim)`, and their classes,
            int32 `(batch,)`, to a scalar.

    Returns:
        The numbers of the run, its folder and its export; nothing on a worker that is
        not the chief.

    Raises:
        ConfigError: The config does not fit the dataset or the machine.
        DatasetError: The dataset lacks what the config names.
        TrainingError: The run cannot start, diverged or was interrupted.

    Example:
        >>> import vpr_tf as vpr
        >>> config = vpr.load_config("small.yaml", ["train.epochs=1"])
        >>> result = vpr.train(config)  # doctest: +ELLIPSIS
        Encoder: ...
        >>> sorted(result.recalls), result.run.parent.name
        (['test', 'val'], 'small')
    """
    strategy = create_strategy(config.train.strategy)
    keras.utils.set_random_seed(config.seed)
    if config.train.deterministic_ops:
        tf.config.experimental.enable_op_determinism()
    run = None if resume is False else find_run(config, resume)
    setting = _Setting.load(config, strategy, augment, run, objectives)
    trainer = _create_trainer(setting, augment)
    validator = _create_validator(setting, trainer)
    if run is not None:
        check_same_data(run, setting.facts)
    elif is_chief(strategy):
        # Once nothing else can be wrong.
        run = create_run_folder(config)
    log_file = run.log_file if run and is_chief(strategy) else None
    with run_log(log_file):
        try:
            with full_disk_told(run):
                if resume is True and run is not None and log_file is not None:
                    tell_other_run(run)
                _run(setting, trainer, validator, run, callbacks)
        except Exception:
            _LOG.debug("The run failed.", exc_info=True)
            raise
    if run is None or log_file is None:
        return TrainingResult()
    return TrainingResult.from_run(run)


@dataclass(frozen=True, eq=False)
class _Setting:
    """What a run is made of, before it has a trainer.

    Attributes:
        config: The experiment.
        encoder: `config.encoder`, its weights a file where they were a run's.
        dataset: The prepared dataset.
        partition: Classes and groups.
        strategy: Where the variables live.
        fixed: With `train.input: descriptors`.
        facts: What the run trains on.
        objectives: Functions of the user.
        teacher: With `train.teacher`.
        target: With `train.target`, its photos.
        localizer: Of the target, where its photos get labels.
    """

    config: ExperimentConfig
    encoder: EncoderConfig
    dataset: PreparedDataset
    partition: Partition
    strategy: tf.distribute.Strategy
    fixed: FixedDescriptors | None
    facts: dict[str, Any]
    objectives: Sequence[LossFunction] = ()
    teacher: Teacher | None = None
    target: Target | None = None
    localizer: TargetLocalizer | None = None

    @classmethod
    def load(
        cls,
        config: ExperimentConfig,
        strategy: tf.distribute.Strategy,
        augment: Augment | None,
        resumed: RunFolder | None,
        objectives: Sequence[LossFunction] = (),
    ) -> _Setting:
        dataset = PreparedDataset(config.dataset.path)
        check_protocol_sets(config.evaluation, dataset.tests)
        partition = dataset.partition(config.partition_name)
        if config.evaluation.method == "classification":
            require_ground(partition, "`evaluation.method: classification`")
        weights = initial_weights(resumed) if resumed else None
        if weights is not None:
            encoder = dataclasses.replace(config.encoder, weights=weights)
        else:
            encoder = with_run_weights(config)
        facts = data_facts(dataset, partition, augment, objectives)
        if encoder.weights != config.encoder.weights:
            facts["initial_weights"] = encoder.weights
        fixed = None
        if config.train.input == "descriptors":
            if augment is not None:
                raise ConfigError(
                    "`augment` changes images, and `train.input: descriptors` reads "
                    "none. Set `train.input: images`, or leave `augment` out."
                )
            if objectives:
                raise ConfigError(
                    "`objectives` train the encoder, and with `train.input: "
                    "descriptors` it stays as it is. Set `train.input: images`, or "
                    "leave `objectives` out."
                )
            fixed = FixedDescriptors.of(build_encoder(encoder), dataset, config)
        teacher = _teacher(config, dataset, strategy, resumed)
        if teacher is not None:
            facts |= teacher.facts
        target = None
        if config.train.target is not None:
            target = Target.of(config.train.target, dataset)
            facts["target_fingerprint"] = target.adapted_to.dataset_fingerprint
        return cls(
            *(config, encoder, dataset, partition, strategy, fixed, facts, objectives),
            *(teacher, target),
            TargetLocalizer.of(config, dataset, partition, target),
        )


def _teacher(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    strategy: tf.distribute.Strategy,
    resumed: RunFolder | None,
) -> Teacher | None:
    teacher = config.train.teacher
    if teacher is None:
        return None
    known = model_of_teacher(resumed) if resumed else None
    if known is not None:
        teacher = dataclasses.replace(teacher, model=known)
    return Teacher.of(config, teacher, dataset, strategy)


def trainer_of(config: ExperimentConfig) -> GroupTrainer:
    """Returns what trains an experiment, before its first step; it writes no run.

    Raises:
        ConfigError: The config does not fit the dataset or the machine.
        DatasetError: There is no dataset.
    """
    strategy = create_strategy(config.train.strategy)
    return _create_trainer(_Setting.load(config, strategy, None, None), None)


def _create_trainer(setting: _Setting, augment: Augment | None) -> GroupTrainer:
    fixed = setting.fixed

    def create() -> keras.Model:
        if fixed is not None:
            return identity_encoder(fixed.descriptors.shape[1])
        encoder = setting.encoder
        if encoder.lora is not None:
            return build_with_lora(encoder, encoder.lora)
        return build_encoder(encoder)

    return GroupTrainer(
        create,
        setting.dataset.split("train"),
        *(setting.partition, setting.config.train, setting.config.seed),
        setting.strategy,
        fixed.descriptors if fixed else None,
        *(augment, setting.objectives),
        setting.teacher.of_length if setting.teacher else None,
        *(setting.target.photos if setting.target else None, setting.localizer),
    )


def _create_validator(setting: _Setting, trainer: GroupTrainer) -> Validator | None:
    """Returns what measures val; None without a val set.

    Raises:
        ConfigError: The schedule watches a loss that cannot be measured.
    """
    config, dataset, val = setting.config, setting.dataset, setting.dataset.val
    schedule = config.train.schedule
    watched = isinstance(schedule, PlateauScheduleConfig) and (
        schedule.monitor == "val_loss"
    )
    if watched:
        require_ground(setting.partition, "`train.schedule.monitor: val_loss`")
    val_loss = None
    if val and (watched or config.evaluation.method == "classification"):
        split = dataset.split(val.queries)
        val_loss = ValLoss.of(trainer.heads, trainer.head_factory, split)
        val_loss = val_loss if val_loss.num_photos else None
    if watched and val_loss is None:
        raise ConfigError(
            "`train.schedule.monitor: val_loss` needs val queries in cells that are "
            f"trained. Received: {'none that is' if val else 'no val set'} in "
            f"{dataset.path}. Set `train.schedule.monitor: val_recall`, or build the "
            "dataset with a val set taken in the streets of its train images."
        )
    if val is None:
        return None
    return Validator(dataset, val, config.evaluation, setting.strategy, val_loss)


def _run(
    setting: _Setting,
    trainer: GroupTrainer,
    validator: Validator | None,
    run: RunFolder | None,
    user_callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    config, dataset, strategy = setting.config, setting.dataset, setting.strategy
    store = CheckpointStore(trainer, run.checkpoints if run else None)
    restored = run is not None and restore_run(run, store)
    step = trainer.progress.step
    if values_of_chief(strategy, [step])[0] != step:
        raise TrainingError(
            f"This worker goes on from step {step}, and the chief from another. "
            "`runs_dir` must be one folder that all workers read."
        )
    writers = None
    if run is not None and is_chief(strategy):
        facts = setting.facts | model_facts(trainer, setting.partition)
        announce(config, facts, run)
        if restored:
            _LOG.info("Going on from step %d: %s", trainer.progress.step, store.latest)
        for step, problem in store.skipped.items():
            _LOG.warning(
                "Not from the newer checkpoint step-%d: %s. It stays until the next "
                "one is written.",
                *(step, problem),
            )
        writers = RunWriters(config, trainer, run, facts)
    else:
        _LOG.warning("This worker trains along; the chief reports.")
    fixed = setting.fixed
    plain_encoder = fixed.encoder if fixed else build_plain_encoder(setting.encoder)
    if setting.target is not None:
        plain_encoder.adapted_to = setting.target.adapted_to
    if not restored and fixed is None:
        start_from_clusters(trainer, plain_encoder, dataset, config)
    saver = CheckpointSaver(store, trainer.progress, config.train)
    with stop_on_signals() as stop:
        EpochLoop(
            trainer=trainer,
            plain_encoder=plain_encoder,
            validator=validator,
            classifier=_classifier(setting, trainer),
            store=store,
            saver=saver,
            callbacks=[
                *(writers.callbacks if writers else ()),
                *decision_callbacks(config.train, trainer.progress),
                *user_callbacks,
                saver,
            ],
            writers=writers,
            stop=stop,
        ).run()
        if run is not None and writers is not None:
            _finish(config, dataset, run, plain_encoder, stop)
            # Last: whatever is killed before can be done again.
            store.keep_last(config.train.checkpoints_to_keep)
        # A worker that left would look like one that failed.
        values_of_chief(strategy, [0.0])


def _classifier(
    setting: _Setting, trainer: GroupTrainer
) -> Callable[[], PlacePredictor] | None:
    """Returns what makes a classifier of the heads; None where they are dropped."""
    config = setting.config
    if config.evaluation.method != "classification":
        return None
    table = ClassTable.from_partition(
        setting.partition,
        setting.dataset.split("train"),
        config.train.groups_num * setting.partition.groups_per_step,
    )
    return functools.partial(
        classifier_from_heads, trainer.heads, trainer.head_factory, table, config
    )


def _finish(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    encoder: keras.Model,
    stop: StopSignal,
) -> None:
    try:
        with stop.raising():
            finish_run(config, dataset, run, encoder)
    except KeyboardInterrupt:
        raise TrainingInterruptedError(
            "Interrupted after training, before the report was complete. Go on with: "
            + run.resume_command,
            stop.exit_status,
        ) from None
