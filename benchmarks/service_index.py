"""A large index of generated descriptors and drawn photos, for `benchmarks.service`."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.retrieval_data import generate_city

DESCRIPTOR_DIM = 512
_SIDE, _SMALL_PHOTOS = 224, 32
_PHONE_SIZE = (4032, 3024)
_UPRIGHT_BY_TURNING = 6  # of EXIF orientations, as phones write it


def index_of(work: Path, num_photos: int, kind: str) -> Path:
    """Returns the index of a size, which is built if it is not there.

    Args:
        work: Folder for what is large.
        num_photos: Of the index.
        kind: Of its search.
    """
    index = work / f"{kind}_{num_photos}.index"
    if not index.exists():
        # TensorFlow, which builds it, stays out of the process that measures.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as alone:
            alone.submit(_build, work, index, num_photos, kind).result()
    return index


def _build(work: Path, index: Path, num_photos: int, kind: str) -> None:
    from vpr_tf.config import Preprocessing
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.models import GeoLocalizationNet
    from vpr_tf.place_index import PlaceIndex

    city = generate_city(work, num_photos, DESCRIPTOR_DIM, 1, seed=0)
    encoder = GeoLocalizationNet("EfficientNetLite0", DESCRIPTOR_DIM)
    draw = np.random.default_rng(1)
    PlaceIndex.create(
        index,
        city.database,
        encoder=FeatureExtractor(encoder, Preprocessing("square", _SIDE)),
        kind=kind,
        dtype="float16",
        recall_queries=100,
        latitude=draw.uniform(37.70, 37.82, num_photos),
        longitude=draw.uniform(-122.52, -122.36, num_photos),
        heading_deg=draw.uniform(0, 360, num_photos),
    ).close()
    (work / "database.npy").unlink()


def draw_photos(work: Path) -> tuple[Path, list[Path]]:
    """Draws a photo as of a phone, 12 megapixels, and small ones."""
    draw = np.random.default_rng(2)
    phone = work / "phone.jpg"
    if not phone.exists():
        exif = Image.Exif()
        exif[0x0112] = _UPRIGHT_BY_TURNING
        _draw(draw, _PHONE_SIZE, 60).save(phone, quality=92, exif=exif)
    small = [work / f"small_{number:02d}.jpg" for number in range(_SMALL_PHOTOS)]
    for path in small:
        if not path.exists():
            _draw(draw, (_SIDE, _SIDE), 12).save(path, quality=90)
    return phone, small


def _draw(draw: np.random.Generator, size: tuple[int, int], cells: int) -> Image.Image:
    """Draws soft colours under a fine grain, which JPEG stores as it does a street."""
    coarse = draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    soft = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    grain = draw.integers(-12, 13, (size[1], size[0], 1), dtype=np.int16)
    pixels = np.asarray(soft).astype(np.int16) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
