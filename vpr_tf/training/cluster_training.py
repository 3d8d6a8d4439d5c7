"""Training on the machines of a Ray cluster, which goes on where some are lost.

Ray Train starts a process on each machine and tells them of each other; each runs the
same `train` under `multi_worker`. Where one is lost all end, and those that are left go
on from the last checkpoint: what was trained since is trained again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray.train import (
    FailureConfig,
    RunConfig,
    ScalingConfig,
    TrainingFailedError,
    get_context,
)
from ray.train.tensorflow import TensorflowTrainer

from vpr_tf.cluster import (
    ClusterError,
    HeadWatch,
    MachineCheck,
    SeenFile,
    alive_nodes,
    gpus_of,
    require_seen,
    seen_files,
)
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.training.errors import TrainingError, TrainingInterruptedError
from vpr_tf.training.result import TrainingResult
from vpr_tf.training.resume import find_run
from vpr_tf.training.run_folder import RunFolder, newest_first
from vpr_tf.training.run_log_lines import printed_log
from vpr_tf.training.run_records import RunRecords

_LOG = logging.getLogger(__name__)
_MOST_LOST = 5  # one after another, without a step in between
_WORK_FOLDER = ".ray"
_Told = tuple[Exception, bool]  # what a worker raised; whether another one was gone


def train_on_cluster(
    config: ExperimentConfig, *, resume: bool | str | Path = False
) -> TrainingResult:
    """Trains on the cluster of `using_cluster`; see `train`.

    There is a process on each GPU, or on each machine where there are none; all read
    the dataset and the run folder under the same path. As many take part as can share
    the batch.

    Args:
        config: The experiment; `train.strategy` becomes `multi_worker`.
        resume: See `train`.

    Raises:
        ClusterError: No machine can take part, or one does not see the dataset.
        TrainingError: See `train`; or machines are lost again and again.
        ConfigError: See `train`.
    """
    train_config = dataclasses.replace(config.train, strategy="multi_worker")
    config = dataclasses.replace(config, train=train_config)
    run = None if resume is False else find_run(config, resume)
    runs = Path(config.runs_dir) / config.name
    known = {one.path for one in newest_first(runs)}
    num_lost, last_step = 0, -1
    while True:
        share = _Share.of_cluster(config.train.batch_size)
        print(share.text, flush=True)
        with printed_log(run, lambda: _new_run(runs, known)):
            try:
                lost = _fit(config, share, run)
            except KeyboardInterrupt:
                raise _interrupted(run or _new_run(runs, known)) from None
        run = run or _new_run(runs, known)
        if lost is None:
            break
        step = 0 if run is None else RunRecords.read(run).num_lines
        num_lost = 1 if step > last_step else num_lost + 1
        last_step = max(step, last_step)
        if num_lost >= _MOST_LOST:
            raise TrainingError(
                f"Machines were lost {num_lost} times without a step in between, last: "
                f"{lost}. Go on with --resume when they stay."
            )
        print(f"A machine was lost at step {step} ({lost}). Going on.", flush=True)
    if run is None:
        raise TrainingError(
            f"The run is not in {runs}, although it was trained. `runs_dir` must be "
            "one folder on all machines."
        )
    return TrainingResult.from_run(run)


@dataclasses.dataclass(frozen=True)
class _Share:
    """How a batch is shared.

    Attributes:
        num_workers: Processes.
        resources: Of each.
    """

    num_workers: int
    resources: dict[str, float]

    @classmethod
    def of_cluster(cls, batch_size: int) -> _Share:
        """Returns as many processes as the cluster has room for and the batch allows.

        Raises:
            ClusterError: It has no room.
        """
        nodes = [node for node in alive_nodes() if _processors(node)]
        gpus = sum(map(gpus_of, nodes))
        nodes = [node for node in nodes if gpus_of(node)] if gpus else nodes
        if not nodes:
            raise ClusterError(
                "No machine of the cluster has a processor. Add one by `ray start "
                "--address=HOST:6379`."
            )
        parts = [_processors(node) // max(gpus_of(node), 1) for node in nodes]
        resources: dict[str, float] = {
            "CPU": min(parts),
            **({"GPU": 1} if gpus else {}),
        }
        most = gpus or len(nodes)
        num = max(n for n in range(1, most + 1) if batch_size % n == 0)
        return cls(num, resources)

    @property
    def text(self) -> str:
        """Says it to people."""
        what = "GPUs" if "GPU" in self.resources else "machines"
        return f"Training on {self.num_workers} {what} of the cluster."


def _processors(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))


def _new_run(runs: Path, known: set[Path]) -> RunFolder | None:
    """Returns the run that was started since."""
    new = [run for run in newest_first(runs) if run.path not in known]
    return new[0] if new else None


def _fit(config: ExperimentConfig, share: _Share, run: RunFolder | None) -> str | None:
    """Trains until the end, or until a worker is lost, which it returns.

    Raises:
        Exception: What `train` raises.
    """
    here = ray.get_runtime_context().get_node_id()
    place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, False)
    remote: Any = ray.remote(_Errors)
    errors = remote.options(num_cpus=0, scheduling_strategy=place).remote()
    dataset = PreparedDataset(config.dataset.path)
    job = _Job(
        config,
        False if run is None else str(run.path),
        MachineCheck.of_this(),
        seen_files([dataset.path / "manifest.json"]),
    )
    with _work_folder(Path(config.runs_dir).absolute()) as folder:
        trainer = TensorflowTrainer(
            _train_as_worker,
            train_loop_config={"job": job, "errors": errors},
            scaling_config=ScalingConfig(
                num_workers=share.num_workers,
                use_gpu="GPU" in share.resources,
                resources_per_worker=share.resources,
                placement_strategy="SPREAD",
            ),
            run_config=RunConfig(
                name=config.name,
                storage_path=str(folder),
                failure_config=FailureConfig(max_failures=0),
            ),
        )
        try:
            _run_in_thread(trainer.fit)
        except TrainingFailedError as failed:
            told = ray.get(errors.all.remote())
            return _lost(failed, told)
    return None


def _run_in_thread(function: Callable[[], Any]) -> None:
    """Runs a function that in the main thread would take Ctrl-C for a good end.

    Raises:
        ClusterError: The head of the cluster is gone.
        BaseException: What the function raises.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    head = HeadWatch()
    while thread.is_alive():
        thread.join(0.5)
        head.require()
    if raised:
        raise raised[0]


def _interrupted(run: RunFolder | None) -> TrainingInterruptedError:
    then = f"go on with: {run.resume_command} --ray ..." if run else "it had not begun"
    return TrainingInterruptedError(f"Interrupted; {then}", 130)


def _lost(failed: TrainingFailedError, told: dict[int, _Told]) -> str:
    """Says which worker was lost.

    Raises:
        Exception: None was; what the first worker raised.
    """
    failures = getattr(failed, "worker_failures", {})
    died = sorted(set(failures) - set(told))
    if died:
        return f"worker {died[0]}"
    own = {rank: error for rank, (error, is_of_peer) in told.items() if not is_of_peer}
    if own:
        raise own[min(own)] from failed
    if told:
        return "a worker does not answer the others"
    raise ClusterError(f"Ray cannot train: {str(failed).splitlines()[-1]}") from failed


def _is_of_peer(error: BaseException | None) -> bool:
    """Whether an error is that another worker is gone."""
    while error is not None:
        if type(error).__name__ in ("UnavailableError", "AbortedError"):
            return True
        if "Collective ops is aborted" in str(error):
            return True
        error = error.__cause__
    return False


class _Errors:
    """What the workers raised, kept on the machine of the command; an actor."""

    def __init__(self) -> None:
        self._told: dict[int, _Told] = {}

    def add(self, rank: int, told: _Told) -> None:
        self._told[rank] = told

    def all(self) -> dict[int, _Told]:
        return self._told


@dataclasses.dataclass(frozen=True)
class _Job:
    """What a worker gets.

    Attributes:
        config: The experiment.
        resume: The run that goes on; False for a new one.
        check: Of the machine.
        sees: Files that it must see.
    """

    config: ExperimentConfig
    resume: bool | str
    check: MachineCheck
    sees: tuple[SeenFile, ...]


def _train_as_worker(given: dict[str, Any]) -> None:
    """Runs `train` in a process of Ray Train, which has set TF_CONFIG."""
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray's; there is no such Keras
    job, errors = given["job"], given["errors"]
    try:
        job.check.enter()
        require_seen(job.sees)
        from vpr_tf.training.train import train

        train(job.config, resume=job.resume)
    except Exception as error:
        rank = get_context().get_world_rank()
        ray.get(errors.add.remote(rank, (_sendable(error), _is_of_peer(error))))
        raise


def _sendable(error: Exception) -> Exception:
    """Returns an error that other processes can read."""
    try:
        ray.cloudpickle.loads(ray.cloudpickle.dumps(error))
    except Exception:
        return TrainingError(f"{type(error).__name__}: {error}")
    return error


@contextlib.contextmanager
def _work_folder(runs_dir: Path) -> Iterator[Path]:
    """Gives Ray Train a folder that all machines see, for its own notes."""
    folder = runs_dir / _WORK_FOLDER
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
