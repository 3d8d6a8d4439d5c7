"""Writes the photographs of a city: in parallel, each file atomically, resumably."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from data_prep.synthesize.dataset import Shot, plan_shots
from data_prep.synthesize.drawing import draw_shot
from data_prep.synthesize.presets import SynthesisConfig
from vpr_tf.atomic_files import new_file, sweep_leftovers
from vpr_tf.terminal_bar import TerminalBar

CONFIG_NAME = "synthesis.json"
_SHOTS_PER_TASK = 16


class SynthesisError(RuntimeError):
    """The output folder cannot be used; the message says why and what to do."""


def write_city(config: SynthesisConfig, output: Path, workers: int) -> dict[str, int]:
    """Draws every photograph that the folder does not hold yet.

    Args:
        config: The city.
        output: Folder; new, empty, or of an earlier run with the same config.
        workers: Processes; the bytes do not depend on it.

    Returns:
        Number of images by folder: train, val/database, ...

    Raises:
        SynthesisError: The folder holds something else or cannot be written.
    """
    _claim_folder(config, output)
    splits = config.preset.districts()
    shots = [shot for split in splits for shot in plan_shots(config, split)]
    counts: dict[str, int] = {}
    for shot in shots:
        folder = str(Path(shot.names[0]).parent)
        counts[folder] = counts.get(folder, 0) + len(shot.names)
    try:
        for folder in counts:
            (output / folder).mkdir(parents=True, exist_ok=True)
        missing = _missing(shots, counts, output)
        _draw_all(config, missing, output, workers)
    except OSError as error:
        raise SynthesisError(
            f"Cannot write to {output}: {error}. Finished images are kept; "
            "run the same command again to go on."
        ) from error
    return counts


def _claim_folder(config: SynthesisConfig, output: Path) -> None:
    """Makes sure that the folder is this city's."""
    wanted = json.dumps(config.settings, indent=1, sort_keys=True) + "\n"
    path = output / CONFIG_NAME
    try:
        if path.is_file():
            if path.read_text() != wanted:
                raise SynthesisError(
                    f"{output} holds a city of another preset, seed or image size, "
                    f"or with or without panoramas (see {path}). Choose another "
                    "--output or delete the folder."
                )
            return
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise SynthesisError(
                f"--output must be a new or empty folder, or one with {CONFIG_NAME}. "
                f"Received: {output}."
            )
        output.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, wanted.encode())
    except OSError as error:
        raise SynthesisError(
            f"Cannot write to {output}: {error}. Choose a writable --output."
        ) from error


def _write_atomically(path: Path, data: bytes) -> None:
    with new_file(path) as partial:
        partial.write_bytes(data)


def _missing(shots: list[Shot], folders: dict[str, int], output: Path) -> list[Shot]:
    """Returns the shots with images that are absent; clears what a kill left."""
    present: set[str] = set()
    for folder in folders:
        sweep_leftovers(output / folder)
        present |= {f"{folder}/{file.name}" for file in (output / folder).iterdir()}
    return [shot for shot in shots if not present.issuperset(shot.names)]


def _draw_all(
    config: SynthesisConfig, shots: list[Shot], output: Path, workers: int
) -> None:
    tasks = list(_tasks(shots))
    total = sum(len(shot.names) for shot in shots)
    with TerminalBar(total=total, unit=" images", desc="synthesize") as bar:
        if workers == 1:
            for task in tasks:
                bar.update(_draw_task(config, task, str(output)))
            return
        context = multiprocessing.get_context("spawn")
        with (
            _single_threaded_children(),
            ProcessPoolExecutor(workers, mp_context=context) as pool,
        ):
            futures = [
                pool.submit(_draw_task, config, task, str(output)) for task in tasks
            ]
            try:
                for future in futures:
                    bar.update(future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@contextlib.contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Keeps the matrix library of each process from starting threads of its own."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tasks(shots: list[Shot]) -> Iterator[list[Shot]]:
    """Cuts the shots into runs of one district."""
    task: list[Shot] = []
    for shot in shots:
        if task and (len(task) == _SHOTS_PER_TASK or task[0].split != shot.split):
            yield task
            task = []
        task.append(shot)
    if task:
        yield task


def _draw_task(config: SynthesisConfig, shots: list[Shot], output: str) -> int:
    count = 0
    for shot in shots:
        images = draw_shot(config, shot)
        for name, data in zip(shot.names, images, strict=True):
            path = Path(output) / name
            if not path.exists():
                _write_atomically(path, data)
            count += 1
    return count
