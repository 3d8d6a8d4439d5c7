"""The processes that train: strategy, what they agree on; log, Ctrl-C and SIGTERM."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import keras
import tensorflow as tf

from vpr_tf.config import ConfigError
from vpr_tf.models import batch_norms
from vpr_tf.printable import printable_lines
from vpr_tf.training.run_log_file import RunLogFile

_LOGGER = "vpr_tf"


def create_strategy(name: str) -> tf.distribute.Strategy:
    """Makes the strategy; `multi_worker` must come before any other TensorFlow call.

    Args:
        name: `one_device` (the first GPU, or the CPU), `mirrored` (all GPUs of this
            machine, or all logical CPU devices) or `multi_worker` (the processes
            that the environment variable TF_CONFIG lists).

    Raises:
        ConfigError: The name is unknown, or `multi_worker` finds no TF_CONFIG.
    """
    if name == "multi_worker":
        if not os.environ.get("TF_CONFIG"):
            raise ConfigError(
                "`train.strategy: multi_worker` needs the environment variable "
                'TF_CONFIG in every process, e.g. {"cluster": {"worker": '
                '["host0:2222", "host1:2222"]}, "task": {"type": "worker", '
                '"index": 0}}'
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    cpus = tf.config.list_logical_devices("CPU")
    if name == "mirrored":
        return tf.distribute.MirroredStrategy([d.name for d in gpus or cpus])
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy((gpus or cpus)[0].name)
    raise ConfigError(
        "`train.strategy` must be one of one_device, mirrored, multi_worker. "
        f"Received: {name!r}"
    )


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Number of processes that train together."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 1
    jobs = resolver.cluster_spec().as_dict()
    return sum(len(jobs.get(job, ())) for job in ("chief", "worker"))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run folder and validates."""
    if num_workers(strategy) == 1:
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


def values_of_chief(
    strategy: tf.distribute.Strategy, values: Sequence[float]
) -> list[float]:
    """Gives every process the chief's values; all processes must call it.

    It waits for the slowest process, so it is a barrier too.

    Args:
        strategy: The strategy.
        values: Numbers; only the chief's count, but the length must be the same.
    """
    own = values if is_chief(strategy) else [0.0] * len(values)
    return sum_over_workers(strategy, own)


def sum_over_workers(
    strategy: tf.distribute.Strategy, values: Sequence[float]
) -> list[float]:
    """Sums numbers over processes; all processes must call it.

    Args:
        strategy: The strategy.
        values: As many numbers in each process.
    """
    if num_workers(strategy) == 1:
        return list(values)
    # The first replica of each process adds its numbers, the others nothing.
    local_replicas = strategy.num_replicas_in_sync // num_workers(strategy)
    total = _reducer(strategy)(tf.constant(values, tf.float64), local_replicas)
    return [float(value) for value in total.numpy()]


@functools.cache
def _reducer(strategy: tf.distribute.Strategy) -> Callable[..., tf.Tensor]:
    @tf.function
    def reduce(values, local_replicas):
        def in_replica():
            context = tf.distribute.get_replica_context()
            is_first = context.replica_id_in_sync_group % local_replicas == 0
            return tf.where(is_first, values, tf.zeros_like(values))

        per_replica = strategy.run(in_replica)
        return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)

    return reduce


def learning_batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the batch norms that take their statistics from the batch."""
    return [layer for layer in batch_norms(model) if layer.trainable]


class StatisticsAverager:
    """Averages the batch norms' moving statistics over replicas, in place.

    Each replica updates its own from its share of the batch. The update is linear, so
    averaging now and then equals averaging at every step.

    Args:
        model: A model made under the strategy.
        strategy: The strategy.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy) -> None:
        variables = [
            variable
            for layer in learning_batch_norms(model)
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._is_needed = strategy.num_replicas_in_sync > 1 and bool(variables)

        def average_in_replica():
            context = tf.distribute.get_replica_context()
            # A bare variable has no device to reduce to under several workers.
            values = [tf.identity(variable.value) for variable in variables]
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
            for variable, mean in zip(variables, means, strict=True):
                variable.assign(mean)

        self._average = tf.function(lambda: strategy.run(average_in_replica))

    def __call__(self) -> None:
        """Averages; all workers must call it together."""
        if self._is_needed:
            self._average()


def environment_line() -> str:
    """Describes versions and devices in one line."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in gpus
    ]
    devices = ", ".join(names) or f"no GPU, {os.cpu_count()} CPU cores"
    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, {devices}"
    )


@contextlib.contextmanager
def run_log(file: Path | None) -> Iterator[None]:
    """Prints the program's messages and, with times, writes them to a file.

    Args:
        file: Log file to append to, which keeps other processes from the run; None on
            workers that write nothing, which print warnings only.

    Raises:
        TrainingError: Another process writes to the file.
    """
    logger = logging.getLogger(_LOGGER)
    before = logger.level, logger.propagate
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(_PrintableFormatter("%(message)s"))
    console.setLevel(logging.INFO if file else logging.WARNING)
    handlers: list[logging.Handler] = [console]
    if file is not None:
        to_file = RunLogFile(file)
        to_file.setFormatter(
            _PrintableFormatter("%(asctime)s %(levelname)s %(message)s")
        )
        handlers.append(to_file)
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.level, logger.propagate = before


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


class StopSignal:
    """Remembers a signal until the training loop asks for it.

    Attributes:
        number: The signal, None while none came.
        raises: Whether a signal raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.raises = False

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that ended by the signal."""
        return 128 + (self.number or signal.SIGTERM)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Signal handler; a second signal stops at once, without saving."""
        is_second = self.number is not None
        self.number = number
        if is_second or self.raises:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def raising(self, enabled: bool = True) -> Iterator[None]:
        """Lets a signal interrupt long work after which nothing need be saved."""
        self.raises = enabled
        try:
            yield
        finally:
            self.raises = False


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopSignal]:
    """Catches SIGINT and SIGTERM while inside; only in the main thread."""
    stop = StopSignal()
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, stop.handle) for number in numbers}
    except ValueError:  # another thread: the caller handles signals itself
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
