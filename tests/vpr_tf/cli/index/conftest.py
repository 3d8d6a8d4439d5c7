from pathlib import Path

import keras
import pytest

from tests.command_line import on_index
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.models import GeoLocalizationNet

CONFIG = """
name: tiny
dataset: {path: dataset}
evaluation: {resize: square, image_size: 32, batch_size: 4}
"""
NUM_PHOTOS = 10


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A tiny encoder, with the config beside it."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(1)
    encoder = GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0)
    encoder.save(folder / "encoder.keras")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder / "encoder.keras"


def write_photos(folder: Path) -> Path:
    for number in range(NUM_PHOTOS):
        write_photo(
            folder / f"{number}.png",
            (25 * number, 250 - 20 * number, 40 * number % 256),
            gps=gps_of(37.7 + number / 1000, -122.5, heading_deg=36.0 * number),
            taken=f"{2010 + number}:05:06 12:34:56",
        )
    return folder


def build(model: Path, photos: Path, index: Path, *options: str) -> int:
    config = model.parent / "tiny.yaml"
    arguments = ["--photos", photos, "--model", model, "--config", config]
    credit = ["--attribution", "Mapillary", "--licence", "CC BY-SA 4.0"]
    return on_index("build", index, *arguments, *credit, *options)


@pytest.fixture(scope="session")
def built(model, tmp_path_factory) -> Path:
    """A folder with `photos` and their `city.index`; do not change it."""
    folder = tmp_path_factory.mktemp("built")
    assert build(model, write_photos(folder / "photos"), folder / "city.index") == 0
    return folder
