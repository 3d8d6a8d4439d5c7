"""Small indexes whose right answers are known, to be killed and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.geo import Positions, lat_lon_to_utm
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import (
    EncoderIdentity,
    GeoCircle,
    IndexManifest,
    PlaceIndex,
)
from vpr_tf.place_index.creation import KeptParts, create_folder
from vpr_tf.place_index.recall import RECALL_QUERIES

DIM = 16
ENCODER = EncoderIdentity("fingerprint", "generated", DIM, Preprocessing("square", 64))
_K = 10
_CIRCLE = GeoCircle(37.7005, -122.5, 30.0)


class Batch(NamedTuple):
    """Descriptors and photos, in the order of `add`."""

    descriptors: np.ndarray
    photos: PhotoTable


def make_batch(num_photos: int, first: int = 0, seed: int = 0) -> Batch:
    """Makes photos `<seed>/<number>.jpg` with unit descriptors."""
    rng = np.random.default_rng((seed, first))
    descriptors = rng.normal(size=(num_photos, DIM)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    numbers = np.arange(first, first + num_photos)
    latitude = 37.7 + numbers * 1e-5
    longitude = np.full(num_photos, -122.5)
    east_m, north_m, zone = lat_lon_to_utm(latitude, longitude)
    positions = Positions(
        np.rint(east_m * 100).astype(np.int64),
        np.rint(north_m * 100).astype(np.int64),
        zone,
        latitude,
        longitude,
    )
    keys = np.array([f"{seed}/{number:05d}.jpg".encode() for number in numbers])
    headings = (numbers % 360).astype(np.float32)
    photos = PhotoTable(keys, positions, headings, np.full(num_photos, b"2026"))
    return Batch(descriptors, photos)


class Sample(NamedTuple):
    """How to make an index.

    Attributes:
        kind: Of the search structure.
        settings: Of the search structure.
        num_photos: At the start.
        dtype: Of the descriptors.
        with_changes: Whether photos are added and removed afterwards.
    """

    kind: str
    settings: dict[str, Any] | None
    num_photos: int
    dtype: str
    with_changes: bool


def make_sample(folder: Path, sample: Sample, seed: int = 0) -> None:
    """Makes an index; the seed changes all values and no size."""

    def keep(encoders: Path) -> Path:
        encoders.mkdir()
        file = encoders / "encoder.keras"
        file.write_bytes(np.random.default_rng(seed).bytes(3000))
        return file

    create_folder(
        folder,
        *make_batch(sample.num_photos, seed=seed),
        KeptParts(ENCODER, keep),
        kind=sample.kind,
        settings=sample.settings,
        dtype=sample.dtype,
        recall_queries=RECALL_QUERIES,
    )
    index = PlaceIndex.open(folder)
    index.set_localization({"method": "cluster", "curve": [0.25, 0.5]})
    if sample.with_changes:
        add(folder, *make_batch(9, first=sample.num_photos, seed=seed))
        index.remove([f"{seed}/{number:05d}.jpg" for number in (3, 5)])


def create(
    folder: Path, descriptors: np.ndarray, photos: PhotoTable, **search: Any
) -> PlaceIndex:
    """Makes an index of a batch; `search` is the kind and its settings."""
    return PlaceIndex.create(
        folder, descriptors, photos=photos, encoder=ENCODER, **search
    )


def add(folder: Path, descriptors: np.ndarray, photos: PhotoTable) -> IndexManifest:
    """Adds a batch to an index."""
    return PlaceIndex(folder).add(descriptors, photos=photos)


def answer(folder: Path, seed: int = 0) -> tuple[np.ndarray, ...]:
    """All that an index can be asked; two indexes are the same if these are."""
    queries = make_batch(12, first=3, seed=seed).descriptors
    with PlaceIndex.open(folder, encoder_fingerprint=ENCODER.fingerprint) as index:
        everywhere = index.search(queries, _K)
        near = index.search(queries, _K, within=_CIRCLE)
        state = index.state()
        rows = state.alive_rows
        photos = state.photos.take(rows)
        encoder = index.encoder_path
        return (
            everywhere.distances,
            everywhere.photos.keys[everywhere.rows],
            near.distances,
            near.photos.keys[near.rows],
            photos.keys,
            photos.positions.latitude_deg,
            photos.positions.longitude_deg,
            photos.positions.utm_east_cm,
            photos.positions.utm_north_cm,
            photos.positions.utm_zone,
            photos.heading_deg,
            photos.timestamps,
            np.asarray(state.descriptors[rows], np.float32),
            np.frombuffer(encoder.read_bytes() if encoder else b"", np.uint8),
            np.array([repr(state.manifest.localization), repr(state.manifest.encoder)]),
        )


def same(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> bool:
    """Whether two answers are equal in every bit."""
    return all(map(np.array_equal, first, second))


CHANGES: dict[str, Callable[[Path], object]] = {
    "create": lambda folder: create(folder, *make_batch(40)),
    "add": lambda folder: add(folder, *make_batch(7, first=40)),
    "merge": lambda folder: add(folder, *make_batch(8, first=47)),
    "remove": lambda folder: PlaceIndex(folder).remove(["0/00001.jpg", "0/00041.jpg"]),
    "compact": lambda folder: PlaceIndex(folder).compact(),
}
