"""Conversion against copying: `python -m benchmarks.conversion --images 4000`.

Makes JPEG files of 60 to 110 kB with SF-XL names, then by turns copies them file by
file and builds a dataset from them, both with the same number of worker processes.
Both times include starting the workers; the build's includes both passes and all
files beside the shards. A first turn, which imports TFDS, does not count.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import utm
from PIL import Image

from benchmarks.figures import record
from data_prep.build import build_dataset
from vpr_tf.config import BuildConfig, CosPlaceConfig, DatasetConfig, ExperimentConfig
from vpr_tf.photos import format_image_name
from vpr_tf.worker_pool import WorkerPool

_FILES_A_TASK = 64
_DIFFERENT_IMAGES = 16


def make_images(folder: Path, num_images: int, seed: int) -> int:
    """Writes JPEG files of 60 to 110 kB and returns their bytes in all."""
    rng = np.random.default_rng(seed)
    pictures = [_picture(rng) for _ in range(_DIFFERENT_IMAGES)]
    folder.mkdir(parents=True)
    total = 0
    for i in range(num_images):
        east_m, north_m = 544_000 + i % 97 * 3.1, 4_174_000 + i % 89 * 2.7
        latitude, longitude = utm.to_latlon(east_m, north_m, 10, "S")
        name = format_image_name(
            utm_east_m=east_m,
            utm_north_m=north_m,
            zone_number=10,
            zone_letter="S",
            latitude=latitude,
            longitude=longitude,
            pano_id=f"{i:08d}",
            heading_deg=i % 12 * 30,
            timestamp="201606",
        )
        picture = pictures[i % _DIFFERENT_IMAGES]
        # Padding after the end marker, which a build tolerates, varies the size.
        padding = bytes(int(rng.integers(0, max(1, 110_000 - len(picture)))))
        (folder / name).write_bytes(picture + padding + b"\xff\xd9")
        total += len(picture) + len(padding) + 2
    return total


def _picture(rng: np.random.Generator) -> bytes:
    coarse = rng.integers(0, 255, (64, 64, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((512, 512))).astype(np.int16)
    pixels += rng.integers(-14, 15, pixels.shape, np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=80
    )
    return buffer.getvalue()


def copy_files(names: list[str], source: str, target: str) -> int:
    """Copies some files, as a worker of the copy does."""
    for name in names:
        shutil.copyfile(f"{source}/{name}", f"{target}/{name}")
    return len(names)


def time_copy(source: Path, target: Path, workers: int) -> float:
    """Returns the seconds that copying a folder takes."""
    start = time.perf_counter()
    target.mkdir()
    names = sorted(path.name for path in source.iterdir())
    with WorkerPool(workers, "--workers") as pool:
        tasks = (
            (names[i : i + _FILES_A_TASK], str(source), str(target))
            for i in range(0, len(names), _FILES_A_TASK)
        )
        for _ in pool.map_in_order(copy_files, tasks):
            pass
    return time.perf_counter() - start


def time_build(source: Path, target: Path, workers: int, verify: str) -> float:
    """Returns the seconds that a build takes."""
    config = ExperimentConfig(
        name="conversion",
        dataset=DatasetConfig(path=str(target)),
        build=BuildConfig(
            source=str(source.parent),
            train=source.name,
            images_per_shard=512,
            workers=workers,
            verify=verify,
            partition=CosPlaceConfig(min_images_per_class=1),
        ),
    )
    start = time.perf_counter()
    build_dataset(config)
    return time.perf_counter() - start


def main() -> None:
    """Measures by turns and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--verify", choices=("header", "full"), default="header")
    parser.add_argument("--folder", help="where to work [the temporary folder]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        source = Path(folder, "images")
        num_bytes = make_images(source, arguments.images, seed=0)
        print(f"{arguments.images:,} files, {num_bytes / 1e6:,.0f} MB")
        rows = []
        for i in range(arguments.repeats + 1):
            copy_s = time_copy(source, Path(folder, "copy"), arguments.workers)
            shutil.rmtree(Path(folder, "copy"))
            build_s = time_build(
                source, Path(folder, "dataset"), arguments.workers, arguments.verify
            )
            shutil.rmtree(Path(folder, "dataset"))
            if i:
                rows.append((copy_s, build_s))
    print(f"{'copy s':>8} {'build s':>8} {'ratio':>6} {'build images/s':>15}")
    for copy_s, build_s in rows:
        print(
            f"{copy_s:>8.2f} {build_s:>8.2f} {build_s / copy_s:>6.2f} "
            f"{arguments.images / build_s:>15,.0f}"
        )
    ratio = statistics.median(build_s / copy_s for copy_s, build_s in rows)
    print(f"median ratio {ratio:.2f}")
    rate = arguments.images / statistics.median(build_s for _, build_s in rows)
    record(
        *("conversion", f"build, {arguments.workers} workers", rate, "images/s"),
        peer="copying the files",
        ratio=1 / ratio,
    )


if __name__ == "__main__":
    main()
