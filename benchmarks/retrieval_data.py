"""Generated descriptors of a city, for the benchmark of search."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

_VIEWS_PER_PLACE = 10
_PLACES_PER_CHUNK = 5_000
# Fitted to what a trained ResNet-18 says of San Francisco. The variance along the i-th
# principal direction falls with 1 / (i + 4). Of it, two neighbouring photos differ in
# a tenth along the first directions, and in all along the last: the share grows with
# the root of i + 4. Two views of a place have a cosine similarity of about 0.6.
_SPECTRUM_OFFSET = 4


class City(NamedTuple):
    """Descriptors to search, and queries.

    Attributes:
        database: Float32 `(num_images, dim)`, memory-mapped.
        queries: Float32 `(num_queries, dim)`: further views of places of the database.
    """

    database: np.ndarray
    queries: np.ndarray


def generate_city(
    folder: Path, num_images: int, dim: int, num_queries: int, seed: int
) -> City:
    """Writes descriptors of places with several views each, chunk by chunk.

    A place is a random vector, a view adds another; both have normally distributed
    coordinates, whose variances differ from one principal direction to the next. All
    are turned by one random rotation and made unit length.

    Args:
        folder: Existing folder for `database.npy` and `queries.npy`.
        num_images: Rows of the database; ten, the views of a place, follow another.
        dim: Length of a descriptor.
        num_queries: Queries, spread evenly over the city.
        seed: Of all that is random.
    """
    rng = np.random.default_rng(seed)
    bases = _bases(rng, dim)
    database = np.lib.format.open_memmap(
        folder / "database.npy", "w+", np.float32, (num_images, dim)
    )
    queries = np.empty((num_queries, dim), np.float32)
    step = _PLACES_PER_CHUNK * _VIEWS_PER_PLACE
    for start in range(0, num_images, step):
        end = min(start + step, num_images)
        places = _normal(rng, -(-(end - start) // _VIEWS_PER_PLACE), dim) @ bases.place
        of_row = np.arange(end - start) // _VIEWS_PER_PLACE
        database[start:end] = _views(rng, places, of_row, bases.view)
        block = slice(
            num_queries * start // num_images, num_queries * end // num_images
        )
        visited = rng.integers(len(places), size=block.stop - block.start)
        queries[block] = _views(rng, places, visited, bases.view)
    database.flush()
    np.save(folder / "queries.npy", queries)
    return open_city(folder)


def open_city(folder: Path) -> City:
    """Opens what `generate_city` wrote; the database stays on the disk."""
    return City(
        np.load(folder / "database.npy", mmap_mode="r"), np.load(folder / "queries.npy")
    )


class _Bases(NamedTuple):
    """Matrices `(dim, dim)` that make a place or a view of normal coordinates."""

    place: np.ndarray
    view: np.ndarray


def _bases(rng: np.random.Generator, dim: int) -> _Bases:
    rotation = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    direction = np.arange(dim) + _SPECTRUM_OFFSET
    variance = 1 / direction
    view_share = np.sqrt(direction / direction[-1])
    place = np.sqrt(variance * (1 - view_share))[:, None] * rotation
    view = np.sqrt(variance * view_share)[:, None] * rotation
    return _Bases(place.astype(np.float32), view.astype(np.float32))


def _normal(rng: np.random.Generator, count: int, dim: int) -> np.ndarray:
    return rng.standard_normal((count, dim), np.float32)


def _views(
    rng: np.random.Generator, places: np.ndarray, of_view: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    views = _normal(rng, len(of_view), places.shape[1]) @ basis
    views += places[of_view]
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    return views
