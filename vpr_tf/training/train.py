"""A whole training run, from the config to the tested and exported encoder."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from vpr_tf.classification import ClassTable
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import Partition, PreparedDataset
from vpr_tf.models import build_encoder
from vpr_tf.training.callbacks import CheckpointSaver
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.encoders import (
    FixedDescriptors,
    build_plain_encoder,
    identity_encoder,
    start_from_clusters,
)
from vpr_tf.training.epoch_loop import EpochLoop
from vpr_tf.training.errors import TrainingInterruptedError
from vpr_tf.training.final_report import finish_run
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.heads import classifier_from_heads
from vpr_tf.training.process import StopSignal, run_log, stop_on_signals
from vpr_tf.training.resume import check_same_data, check_same_experiment, find_run
from vpr_tf.training.run_facts import announce, data_facts, model_facts
from vpr_tf.training.run_folder import RunFolder, create_run_folder
from vpr_tf.training.run_writers import RunWriters, decision_callbacks
from vpr_tf.training.strategy import create_strategy, is_chief, values_of_chief
from vpr_tf.training.validation import Validator

_LOG = logging.getLogger(__name__)


def train(
    config: ExperimentConfig,
    *,
    resume: bool | str | Path = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> RunFolder | None:
    """Trains, validates each epoch, tests the best model and exports it.

    Args:
        config: The experiment.
        resume: False starts a new run; True goes on with the newest run of the
            config's name, a path with that run.
        callbacks: Further Keras callbacks; they see the encoder as their model and
            the logs that `vpr_tf.training.callbacks` lists.

    Returns:
        The run's folder; None on a worker that is not the chief of a new run.

    Raises:
        ConfigError: The config does not fit the dataset or the machine.
        DatasetError: The dataset lacks what the config names.
        TrainingError: The run cannot start, diverged or was interrupted.
    """
    strategy = create_strategy(config.train.strategy)
    keras.utils.set_random_seed(config.seed)
    if config.train.deterministic_ops:
        tf.config.experimental.enable_op_determinism()
    dataset = PreparedDataset(config.dataset.path)
    partition = dataset.partition(config.partition_name)
    fixed = None
    if config.train.input == "descriptors":
        fixed = FixedDescriptors.of(build_encoder(config.encoder), dataset, config)
    trainer = _create_trainer(config, dataset, partition, strategy, fixed)
    run = _open_run(config, resume, dataset, partition, is_chief(strategy))
    log_file = run.log_file if run and is_chief(strategy) else None
    with run_log(log_file):
        try:
            _run(config, dataset, partition, trainer, fixed, run, callbacks)
        except Exception:
            _LOG.debug("The run failed.", exc_info=True)
            raise
    return run


def _create_trainer(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    partition: Partition,
    strategy: tf.distribute.Strategy,
    fixed: FixedDescriptors | None,
) -> GroupTrainer:
    def create() -> keras.Model:
        if fixed is not None:
            return identity_encoder(fixed.descriptors.shape[1])
        return build_encoder(config.encoder)

    return GroupTrainer(
        create,
        dataset.split("train"),
        partition,
        config.train,
        config.seed,
        strategy,
        fixed.descriptors if fixed else None,
    )


def _open_run(
    config: ExperimentConfig,
    resume: bool | str | Path,
    dataset: PreparedDataset,
    partition: Partition,
    chief: bool,
) -> RunFolder | None:
    """Makes or finds the run folder, once nothing else can be wrong."""
    if resume is False:
        return create_run_folder(config) if chief else None
    run = find_run(config, None if resume is True else resume)
    check_same_experiment(run, config)
    check_same_data(run, data_facts(dataset, partition))
    return run


def _run(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    partition: Partition,
    trainer: GroupTrainer,
    fixed: FixedDescriptors | None,
    run: RunFolder | None,
    user_callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    store = CheckpointStore(trainer, run.checkpoints if run else None)
    restored = store.restore_latest()
    writers = None
    if run is not None and is_chief(trainer.strategy):
        facts = data_facts(dataset, partition) | model_facts(trainer, partition)
        announce(config, facts, run)
        if store.latest:
            _LOG.info("Going on from step %d: %s", trainer.progress.step, store.latest)
        writers = RunWriters(config, trainer, run, facts)
    else:
        _LOG.warning("This worker trains along; the chief reports.")
    plain_encoder = fixed.encoder if fixed else build_plain_encoder(config.encoder)
    classifier = None
    if config.evaluation.method == "classification":
        split, groups_num = dataset.split("train"), config.train.groups_num
        table = ClassTable.from_partition(partition, split, groups_num)
        factory = trainer.head_factory
        classifier = functools.partial(
            classifier_from_heads, trainer.heads, factory, table, config
        )
    if not restored and fixed is None:
        start_from_clusters(trainer, plain_encoder, dataset, config)
    val, strategy = dataset.val, trainer.strategy
    saver = CheckpointSaver(store, trainer.progress, config.train)
    with stop_on_signals() as stop:
        EpochLoop(
            trainer=trainer,
            plain_encoder=plain_encoder,
            validator=Validator(dataset, val, config.evaluation, strategy)
            if val
            else None,
            classifier=classifier,
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
        # A worker that left would look like one that failed.
        values_of_chief(strategy, [0.0])


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
