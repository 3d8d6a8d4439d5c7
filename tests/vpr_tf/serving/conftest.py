"""A small index with photos on disk, and the client of a service on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.vpr_tf.matching.streets import png, street
from tests.vpr_tf.serving.samples import (
    DIM,
    make_index,
    make_street_index,
    tiny_encoder,
)
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings, create_app, served_index

KEYS = ("a.jpg", "2019/b c.png", "gone.jpg")


@pytest.fixture(scope="session")
def photos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the photos of `city`; the JPEG lies on its side, with a position."""
    folder = tmp_path_factory.mktemp("served") / "photos"
    (folder / "2019").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "whose house this is"
    pixels = np.zeros((500, 1000, 3), np.uint8)
    pixels[:, :500] = 255
    Image.fromarray(pixels).save(folder / "a.jpg", exif=exif)
    Image.fromarray(pixels[:40, 480:520]).save(folder / "2019/b c.png")
    return folder


@pytest.fixture(scope="session")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> FeatureExtractor:
    """An encoder of a few operations."""
    return tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, extractor: FeatureExtractor) -> Path:
    """An index of `samples.PHOTOS`, which tests do not change."""
    return make_index(tmp_path_factory.mktemp("town") / "town", extractor)


@pytest.fixture
def city(tmp_path: Path, extractor: FeatureExtractor) -> Path:
    """An index of three photos."""
    folder = tmp_path / "city"
    PlaceIndex.create(
        folder,
        descriptors=np.eye(3, DIM),
        encoder=extractor,
        latitude=[37.7, 37.8, np.nan],
        longitude=[-122.5, -122.4, np.nan],
        heading_deg=[90.0, np.nan, 10.0],
        timestamps=["2019", "2021-06", None],
        keys=list(KEYS),
        attribution="Mapillary",
        licence="CC BY-SA 4.0",
    ).close()
    return folder


@pytest.fixture
def street_photos(tmp_path: Path) -> Path:
    """Photos whose key points tell them apart."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        (folder / f"{seed}.png").write_bytes(png(street(seed)))
    return folder


@pytest.fixture
def street_index(tmp_path: Path, extractor: FeatureExtractor) -> Path:
    """Of `street_photos`, with descriptors of which none is that of its photo."""
    return make_street_index(tmp_path / "streets", extractor)


@pytest.fixture
def client(
    city: Path, photos_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """Of a service on `city` that shows photos, and waits for changes to be open."""
    monkeypatch.setattr(served_index, "_WAIT_FOR_CHANGE_S", 60)
    settings = ServiceSettings({"city": city}, photos=photos_folder)
    with TestClient(create_app(settings)) as opened:
        yield opened
