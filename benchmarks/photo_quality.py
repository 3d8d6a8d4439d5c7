"""Speed and memory of `vpr photos check`; `--photos DIR` names some photos.

Photos a second are those of one core by CPU time, so that other programs on the machine
do not count. For the memory a folder of many photos is checked as a user would: hard
links of the photos, so that it takes no space.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import record
from vpr_tf.photos.quality.measuring import measure_chunk

_MOST_PHOTOS = 400
_POLL_S = 0.2


def photos_per_second(files: list[Path]) -> float:
    """Returns how many photos one core measures in a second."""
    chunk = [(str(file), 1, None) for file in files[:_MOST_PHOTOS]]
    measure_chunk(chunk[:8])  # imports
    start = time.process_time()
    measure_chunk(chunk)
    return len(chunk) / (time.process_time() - start)


def peak_memory(files: list[Path], count: int, folder: Path) -> tuple[float, float]:
    """Checks a folder of many photos.

    Args:
        files: Photos, on the file system of `folder`.
        count: How many hard links of them are made.
        folder: Empty.

    Returns:
        Largest resident memory of the command and of a worker, in MB.
    """
    photos = folder / "photos"
    photos.mkdir()
    for number, file in zip(range(count), itertools.cycle(files), strict=False):
        os.link(file, photos / f"{number:07d}{file.suffix}")
    words = [sys.executable, "-m", "vpr_tf", "photos", "check", str(photos)]
    command = psutil.Popen(words, stdout=subprocess.DEVNULL)
    own, of_worker = 0.0, 0.0
    while command.poll() is None:
        time.sleep(_POLL_S)
        try:
            own = max(own, command.memory_info().rss / 1e6)
            workers = command.children(recursive=True)
            sizes = [worker.memory_info().rss / 1e6 for worker in workers]
            of_worker = max([of_worker, *sizes])
        except psutil.NoSuchProcess:
            continue
    if command.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(words)} failed: status {command.returncode}.")
    return own, of_worker


def main() -> None:
    """Prints photos a second, and memory by the number of photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEGs")
    parser.add_argument("--counts", type=int, nargs="*", default=[], help="of links")
    options = parser.parse_args()
    files = sorted(options.photos.rglob("*.jpg"))
    rate = photos_per_second(files)
    print(f"{rate:.0f} photos/s of one core", flush=True)
    record("photo_quality", "check, one core", rate, "photos/s of CPU")
    for count in options.counts:
        with tempfile.TemporaryDirectory(dir=options.photos.parent) as folder:
            own, of_worker = peak_memory(files, count, Path(folder))
        print(
            f"{count:,} photos: {own:.0f} MB, a worker {of_worker:.0f} MB", flush=True
        )
        record("photo_quality", f"memory, {count:,} photos", own, "MB")


if __name__ == "__main__":
    main()
