"""Small images with SF-XL names, and configs that build datasets from them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vpr_tf.config import (
    PARTITIONS,
    BuildConfig,
    DatabaseAndQueries,
    DatasetConfig,
    ExperimentConfig,
)
from vpr_tf.geo import utm_to_lat_lon
from vpr_tf.photos import format_image_name


def encode_image(
    seed: int, kind: str = "JPEG", size: tuple[int, int] = (24, 16)
) -> bytes:
    """An image of random pixels, `size` as (width, height)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def image_name(number: int, **fields) -> str:
    """The name of an image on a small square, four images a cell and heading."""
    east_m = 544_000.0 + 10 * (number // 4 % 7) + 0.01 * number
    north_m = 4_174_000.0 + 10 * (number // 28)
    latitude, longitude = utm_to_lat_lon(east_m, north_m, 10)
    return format_image_name(
        **{
            "utm_east_m": east_m,
            "utm_north_m": north_m,
            "zone_number": 10,
            "zone_letter": "S",
            "latitude": float(latitude),
            "longitude": float(longitude),
            "pano_id": f"pano{number}",
            "heading_deg": 30 * (number // 2 % 2),
            "timestamp": "2016",
            **fields,
        }
    )


def write_images(folder: Path, num_images: int, **fields) -> list[str]:
    """Writes images and returns their names, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [image_name(i, **fields) for i in range(num_images)]
    for i, name in enumerate(names):
        (folder / name).write_bytes(encode_image(i))
    return sorted(names)


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., ExperimentConfig]:
    """Returns a function that makes a config which builds `tmp_path/dataset`."""

    def make(dataset: str = "dataset", partition=None, **build) -> ExperimentConfig:
        partition = {"min_images_per_class": 1, **(partition or {})}
        build = {"source": str(tmp_path), "train": "train", "workers": 1, **build}
        return ExperimentConfig(
            name="small",
            dataset=DatasetConfig(path=str(tmp_path / dataset)),
            build=BuildConfig(partition=PARTITIONS.create(**partition), **build),
        )

    return make


@pytest.fixture
def city_config(tmp_path: Path, make_config) -> ExperimentConfig:
    """Train, val and two test sets that share a database, on disk."""
    write_images(tmp_path / "train", 40)
    write_images(tmp_path / "val" / "database", 6)
    write_images(tmp_path / "val" / "queries", 3)
    write_images(tmp_path / "test" / "database", 7)
    write_images(tmp_path / "test" / "queries", 2)
    write_images(tmp_path / "test" / "queries_v1", 4, heading_deg=None)
    return make_config(
        val=DatabaseAndQueries("val/database", "val/queries"),
        tests={
            "day": DatabaseAndQueries("test/database", "test/queries"),
            "v1": DatabaseAndQueries("test/database", "test/queries_v1"),
        },
        images_per_shard=16,
    )
