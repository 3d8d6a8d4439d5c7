"""Photos with descriptors, and the plain model that an index is compared with."""

import importlib.util

import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.geo import Positions, lat_lon_to_utm
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import EncoderIdentity, PlaceIndex
from vpr_tf.place_index.creation import KeptParts, create_folder
from vpr_tf.place_index.manifest import read_manifest

# To import ScaNN here would import TensorFlow as well.
needs_scann = pytest.mark.skipif(
    not importlib.util.find_spec("scann"), reason="ScaNN is not installed"
)
DIM = 16
ENCODER = EncoderIdentity("fingerprint", "a network", DIM, Preprocessing("square", 64))


def positions_at(latitude_deg, longitude_deg):
    latitude_deg = np.asarray(latitude_deg, np.float64)
    longitude_deg = np.asarray(longitude_deg, np.float64)
    east_m, north_m, zone = lat_lon_to_utm(latitude_deg, longitude_deg)
    return Positions(
        np.rint(east_m * 100).astype(np.int64),
        np.rint(north_m * 100).astype(np.int64),
        zone,
        latitude_deg,
        longitude_deg,
    )


def make_photos(num_photos, first=0):
    """Photos `<number>.jpg` a metre apart, whatever split they are made in."""
    numbers = np.arange(first, first + num_photos)
    return PhotoTable(
        np.array([f"{number}.jpg".encode() for number in numbers], "S"),
        positions_at(37.7 + numbers * 1e-5, np.full(num_photos, -122.5)),
        (numbers % 360).astype(np.float32),
        np.array([b"2026", b""] * num_photos, "S")[:num_photos],
    )


def make_descriptors(num_photos, first=0, dim=DIM):
    """Unit vectors that depend on the number of the photo alone."""
    numbers = range(first, first + num_photos)
    rows = [np.random.default_rng(number).normal(size=dim) for number in numbers]
    rows = np.array(rows, np.float32).reshape(num_photos, dim)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_batch(num_photos, first=0):
    """Descriptors and photos, in the order of `add`."""
    return make_descriptors(num_photos, first), make_photos(num_photos, first)


def create(folder, descriptors, photos, encoder=ENCODER, **options):
    return PlaceIndex.create(
        folder, descriptors, photos=photos, encoder=encoder, **options
    )


def create_with_encoder(folder, descriptors, photos, keep_encoder):
    parts = KeptParts(ENCODER, keep_encoder)
    options = {"kind": "auto", "settings": None, "dtype": "float32"}
    create_folder(folder, descriptors, photos, parts, **options, recall_queries=0)


def add(folder, descriptors, photos, **options):
    return PlaceIndex(folder).add(descriptors, photos=photos, **options)


def remove(folder, keys, **options):
    return PlaceIndex(folder).remove(keys, **options)


def verify(folder, **options):
    return PlaceIndex(folder).verify(**options)


def manifest_of(folder):
    return read_manifest(folder)


def found_keys(matches):
    """Keys of the matches, a list a query, without missing ones."""
    return [
        [bytes(key) for key in matches.photos.keys[rows[rows >= 0]]]
        for rows in matches.rows
    ]


class ModelIndex:
    """What an index must answer: photos in a list, searched by sorting."""

    def __init__(self, descriptors, photos):
        self.rows = list(zip(photos.keys.tolist(), descriptors, strict=True))

    def add(self, descriptors, photos):
        self.remove([key for key in photos.keys.tolist() if key in self.keys])
        self.rows += zip(photos.keys.tolist(), descriptors, strict=True)

    def remove(self, keys):
        self.rows = [row for row in self.rows if row[0] not in set(keys)]

    @property
    def keys(self):
        return [key for key, _ in self.rows]

    def search(self, queries, k):
        """Keys of the k nearest, and their squared distances."""
        if not self.rows:
            return [[] for _ in queries], np.empty((len(queries), 0))
        descriptors = np.array([row for _, row in self.rows], np.float64)
        distances = ((queries[:, None] - descriptors[None]) ** 2).sum(axis=2)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return (
            [[self.rows[i][0] for i in row] for row in order],
            np.take_along_axis(distances, order, axis=1),
        )
