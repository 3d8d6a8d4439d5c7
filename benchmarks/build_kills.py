"""Kills `vpr index build` and `add` at random moments, many times.

Each trial starts a build of small photos, kills it (SIGKILL) after a random time, runs
the same command again until it is not killed, and compares the bytes of the index with
those of an undisturbed build. The same for `add`, whose index must besides be whole
after every kill.

    python -m benchmarks.build_kills --trials 30
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_CONFIG = """
name: kills
dataset: {path: none}
evaluation: {resize: square, image_size: 32, batch_size: 4}
"""
_NUM_PHOTOS = 60


def main() -> None:
    """Parses the command line, runs the trials and prints counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Children are forked: they have imported all, so kills hit the work itself.
    import vpr_tf.extraction.descriptor_file as descriptor_file
    import vpr_tf.place_index.index_encoder  # noqa: F401

    descriptor_file._COMMIT_EVERY_S = 0.0  # else a small build commits once
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = _prepare(folder)
        _kill_builds(folder, build, rng, options.trials)
        _kill_additions(folder, build, rng, options.trials)


def _prepare(folder: Path) -> list[str]:
    """Writes photos, a config and an encoder; returns the command without output."""
    for name, count in (("photos", _NUM_PHOTOS), ("more", _NUM_PHOTOS // 2)):
        _write_photos(folder / name, count)
    (folder / "config.yaml").write_text(_CONFIG)
    process = multiprocessing.get_context("fork").Process(
        target=_write_encoder, args=(folder / "encoder.keras",)
    )
    process.start()
    process.join()
    command = ["index", "build", "--photos", folder / "photos"]
    command += ["--model", folder / "encoder.keras", "--config", folder / "config.yaml"]
    return [str(part) for part in command]


def _write_encoder(path: Path) -> None:
    from vpr_tf.models import GeoLocalizationNet

    GeoLocalizationNet("EfficientNetLite0", 32, last_stage=0).save(path)


def _write_photos(folder: Path, count: int) -> None:
    from PIL import Image

    from vpr_tf.geo import utm_to_lat_lon
    from vpr_tf.photos import format_image_name

    folder.mkdir()
    rng = np.random.default_rng(count)
    for number in range(count):
        utm_m = 547_000.0 + number, 4_173_000.0
        latitude, longitude = utm_to_lat_lon(*utm_m, 10)
        name = format_image_name(
            utm_east_m=utm_m[0],
            utm_north_m=utm_m[1],
            zone_number=10,
            zone_letter="S",
            latitude=float(latitude),
            longitude=float(longitude),
            pano_id=f"{folder.name}{number}",
        )
        pixels = rng.integers(0, 256, (48 + 16 * (number % 3), 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def _kill_builds(
    folder: Path, build: list[str], rng: np.random.Generator, trials: int
) -> None:
    reference = folder / "reference" / "index"
    seconds = _run([*build, "--index", str(reference)])
    expected = _bytes_of(reference)
    kills = 0
    for trial in range(trials):
        output = folder / f"trial{trial}" / "index"
        kills += _until_done([*build, "--index", str(output)], seconds, rng)
        _check(_bytes_of(output) == expected, f"trial {trial}: other bytes")
        left = sorted(path.name for path in output.parent.iterdir())
        _check(left == ["index"], f"trial {trial}: left {left}")
        shutil.rmtree(output.parent)
    print(f"build: {trials} trials of {seconds:.1f} s, {kills} kills, equal bytes")


def _kill_additions(
    folder: Path, build: list[str], rng: np.random.Generator, trials: int
) -> None:
    from vpr_tf.place_index import PlaceIndex

    base = folder / "reference" / "index"
    reference = shutil.copytree(base, folder / "added" / "index")
    photos = ["--photos", str(folder / "more")]
    seconds = _run(["index", "add", "--index", str(reference), *photos])
    expected = _bytes_of(reference)
    kills = 0

    def check_whole() -> None:
        _check(
            PlaceIndex(index).verify().is_intact, f"trial {trial}: damaged after a kill"
        )
        with PlaceIndex.open(index) as opened:
            allowed = (_NUM_PHOTOS, _NUM_PHOTOS + _NUM_PHOTOS // 2)
            _check(opened.num_photos in allowed, f"trial {trial}: a mix")

    for trial in range(trials):
        index = shutil.copytree(base, folder / f"add{trial}" / "index")
        command = ["index", "add", "--index", str(index), *photos]
        kills += _until_done(command, seconds, rng, check_whole)
        _check(_bytes_of(index) == expected, f"trial {trial}: other bytes")
        shutil.rmtree(index.parent)
    print(f"add: {trials} trials of {seconds:.1f} s, {kills} kills, equal bytes")


def _until_done(
    command: list[str],
    seconds: float,
    rng: np.random.Generator,
    after_kill: Callable[[], None] = lambda: None,
) -> int:
    """Runs and kills a command until it is done; returns the number of kills."""
    kills = 0
    while True:
        process = _start(command)
        process.join(float(rng.uniform(0, 1.3 * seconds)))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            after_kill()
            continue
        _check(process.exitcode == 0, f"{command[1]}: status {process.exitcode}")
        return kills


def _run(command: list[str]) -> float:
    start = time.perf_counter()
    process = _start(command)
    process.join()
    _check(process.exitcode == 0, f"{command[1]}: status {process.exitcode}")
    return time.perf_counter() - start


def _start(command: list[str]) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(
        target=_child, args=(command,)
    )
    process.start()
    return process  # type: ignore[return-value]


def _child(command: list[str]) -> None:
    from vpr_tf.cli import main as run_command

    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    os._exit(run_command(command))


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _check(is_right: bool, message: str) -> None:
    if not is_right:
        raise SystemExit(message)


if __name__ == "__main__":
    main()
