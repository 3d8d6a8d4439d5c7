"""Kills commands before each line that puts files in their place.

    python -m benchmarks.commit_kills [--every 3] [--only build partition]

Between two lines lie what is written and not yet synced, or not yet renamed. What is
left must not be taken for whole: the same command, run again, must end with the files
of an undisturbed run, byte by byte. An export makes a version each time: those that
are there must have all files of one. `benchmarks.index_reliability` does the same for
indexes, where it also compares answers.
"""

from __future__ import annotations

import argparse
import inspect
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.build_kills import _bytes_of, _write_encoder, _write_photos
from vpr_tf import atomic_files, stored_files, work_folder

_CONFIG = """
name: kills
dataset: {path: DATASET}
build:
  train: PHOTOS
  val: {database: PHOTOS, queries: MORE}
  images_per_shard: 20
  workers: 1
  partition:
    name: coarse
    cell_size_m: 50
    min_images_per_class: 1
    missing_heading: ignore
evaluation: {resize: square, image_size: 32, batch_size: 4}
"""
_NUM_PHOTOS = 60
_STATUS_KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Case:
    """A command that writes, in a folder of its own.

    Attributes:
        before: Makes what the folder holds before the command, given it.
        arguments: Of `vpr`, given the folder.
        makes_versions: Whether each run adds a version to what is there.
    """

    before: Callable[[Path], None]
    arguments: Callable[[Path], list[str]]
    makes_versions: bool = False


def main() -> None:
    """Parses the command line, runs the cases and prints counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=3, help="lines from kill to kill")
    parser.add_argument("--only", nargs="*", default=[], help="cases")
    options = parser.parse_args()
    list(_committing_files())  # imports what the children need
    with tempfile.TemporaryDirectory() as name:
        inputs = Path(name) / "inputs"
        inputs.mkdir()
        for case, found in _cases(inputs).items():
            if not options.only or case in options.only:
                start = time.perf_counter()
                kills = kill_at_lines(found, Path(name) / "work", options.every)
                seconds = time.perf_counter() - start
                print(f"{case}: {kills} kills made good, {seconds:.0f} s", flush=True)


def kill_at_lines(case: Case, folder: Path, every: int) -> int:
    """Kills a command before each of its committing lines; returns how many times.

    Raises:
        SystemExit: Something was left that the next run took for whole.
    """
    _start_anew(case, folder)
    _check(_run(case, folder, None) == 0, "the undisturbed run failed")
    expected = _whole(folder)
    line = 1
    while True:
        _start_anew(case, folder)
        status = _run(case, folder, line)
        if status == 0:
            return line // every
        _check(status == _STATUS_KILLED, f"line {line}: status {status}")
        if case.makes_versions:
            _check_versions(folder, expected, line)
        else:
            _check(_run(case, folder, None) == 0, f"line {line}: refused afterwards")
            _check(_whole(folder) == expected, f"line {line}: other bytes")
        line += every


def _cases(inputs: Path) -> dict[str, Case]:
    """Returns the cases; photos and an encoder are written once."""
    _write_photos(inputs / "photos", _NUM_PHOTOS)
    _write_photos(inputs / "more", _NUM_PHOTOS // 2)
    encoder = inputs / "encoder.keras"
    _in_child(_write_encoder, encoder)

    def configure(folder: Path) -> None:
        text = _CONFIG.replace("DATASET", str(folder / "dataset"))
        text = text.replace("PHOTOS", str(inputs / "photos"))
        text = text.replace("MORE", str(inputs / "more"))
        (folder / "config.yaml").write_text(text)

    def build(folder: Path) -> list[str]:
        return ["data", "build", "--config", str(folder / "config.yaml")]

    def build_first(folder: Path) -> None:
        configure(folder)
        _check(_in_child(_command, build(folder), None) == 0, "the build failed")

    def partition(folder: Path) -> list[str]:
        fine = ["build.partition.name=fine", "build.partition.cell_size_m=10"]
        config = str(folder / "config.yaml")
        return ["data", "partition", "--config", config, *fine]

    def export(folder: Path) -> list[str]:
        output = ["--output", str(folder / "savedmodels")]
        output += ["--config", str(folder / "config.yaml")]
        return ["export", "--model", str(encoder), "--name", "kills", *output]

    return {
        "build": Case(configure, build),
        "partition": Case(build_first, partition),
        "export": Case(configure, export, makes_versions=True),
    }


def _start_anew(case: Case, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    case.before(folder)


def _run(case: Case, folder: Path, kill_before_line: int | None) -> int:
    return _in_child(_command, case.arguments(folder), kill_before_line)


def _in_child(function: Callable[..., Any], *arguments: Any) -> int:
    """Runs a function in a child that has imported all; returns its status."""
    process = multiprocessing.get_context("fork").Process(
        target=function, args=arguments
    )
    process.start()
    process.join()
    return int(process.exitcode or 0)


def _command(arguments: list[str], kill_before_line: int | None) -> None:
    from vpr_tf.cli import main as run_command

    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        if kill_before_line is not None:
            os.dup2(nowhere.fileno(), 2)
            sys.settrace(_killer(kill_before_line))
    os._exit(run_command(arguments))


def _killer(kill_before_line: int) -> Callable[..., Any]:
    """Returns a trace function that kills the process before a committing line."""
    committing, lines = set(_committing_files()), 0

    def trace(frame: types.FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in committing:
            return None
        if event == "line":
            lines += 1
            if lines == kill_before_line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def _committing_files() -> Iterator[str]:
    import vpr_tf.export.exported_model  # noqa: F401
    from data_prep import build, build_state, finish, shards
    from data_prep.partition import assignment
    from vpr_tf.export import saved_model

    modules = (atomic_files, stored_files, work_folder, build, build_state, finish)
    for module in (*modules, shards, assignment, saved_model):
        yield inspect.getfile(module)


def _whole(folder: Path) -> dict[str, bytes]:
    """Returns the files but those that the next sweep deletes."""
    return {
        name: data
        for name, data in _bytes_of(folder).items()
        if not any(part.startswith(".partial-") for part in Path(name).parts)
    }


def _check_versions(folder: Path, expected: dict[str, bytes], line: int) -> None:
    start = "savedmodels/kills/1/"
    files = {name.removeprefix(start) for name in expected if name.startswith(start)}
    for version in folder.glob("savedmodels/kills/[0-9]*"):
        left = set(_bytes_of(version))
        _check(left == files, f"line {line}: a version of {sorted(left)}")


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise SystemExit(message)


if __name__ == "__main__":
    main()
