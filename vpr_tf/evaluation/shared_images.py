"""Queries that are images of the database, which every encoder finds."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np

from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import stored_images
from vpr_tf.photos.schema import POSITION_COLUMNS

# Of squared distances: one image gives one descriptor, up to rounding.
_LARGEST_OF_ONE_IMAGE = 1e-3
# Of squared distances, as a part of the squared length, where positions are equal too.
_LARGEST_OF_ONE_DESCRIPTOR = 1e-6
_SAME_PLACE_M = 0.01
_KEYS_AT_ONCE = 1 << 16
# A short name of the SF-XL standard: east, north, zone, band, latitude, longitude.
_ONLY_POSITION = re.compile(
    rb"@[-+.0-9]+@[-+.0-9]+(@[0-9]{0,2}(@[A-Z]?(@[-+.0-9]*){0,2})?)?@*\.[A-Za-z]+"
)


@dataclass(frozen=True, eq=False)
class SharedImages:
    """Which queries are in the database.

    Attributes:
        by_content: Whether a database image has the same bytes, bool `(num_queries,)`.
        by_name: Whether one has the same name and position, same shape; a name that
            is nothing but a position is none.
        by_descriptor: Whether one has the same descriptor and position, same shape;
            where nothing else of the images is known.
    """

    by_content: np.ndarray
    by_name: np.ndarray
    by_descriptor: np.ndarray


def shared_descriptors(
    queries: np.ndarray, descriptor_distances: np.ndarray, distances_m: np.ndarray
) -> SharedImages:
    """Finds the queries that are database images, of which descriptors are all.

    Args:
        queries: Descriptors `(num_queries, dim)`.
        descriptor_distances: Squared distances of what was predicted for each
            `(num_queries, k)`.
        distances_m: Metres from each query, same shape; NaN where unknown.
    """
    largest = _LARGEST_OF_ONE_DESCRIPTOR * np.einsum("nd,nd->n", queries, queries)
    same = (descriptor_distances <= largest[:, None]) & (distances_m <= _SAME_PLACE_M)
    none = np.zeros(len(queries), bool)
    return SharedImages(none, none, same.any(axis=1))


def shared_images(
    queries: SplitIndex,
    database: SplitIndex,
    rows: np.ndarray,
    descriptor_distances: np.ndarray,
) -> SharedImages:
    """Finds the queries that are database images.

    Equal images have equal descriptors, so only predictions without any distance are
    read; of sets that share nothing that is no image at all.

    Args:
        queries: The split of the queries.
        database: The split that was searched.
        rows: Database rows predicted for each query `(num_queries, k)`; -1 is missing.
        descriptor_distances: Squared distances of the unit descriptors, same shape.

    Raises:
        DamagedRecordError: A record is damaged.
    """
    alike = (rows >= 0) & (descriptor_distances <= _LARGEST_OF_ONE_IMAGE)
    query, rank = np.nonzero(alike)
    candidate = rows[query, rank]
    pairs = np.stack([query, candidate], axis=1)
    for column in ("height", "width"):
        same = queries.column(column)[query] == database.column(column)[candidate]
        pairs, query, candidate = pairs[same], query[same], candidate[same]
    by_content = np.zeros(len(rows), bool)
    digests = [_digests(queries, query), _digests(database, candidate)]
    for one, other in pairs.tolist():
        by_content[one] |= digests[0][one] == digests[1][other]
    by_name = _same_name(queries, database)
    return SharedImages(by_content, by_name, np.zeros(len(rows), bool))


def _digests(split: SplitIndex, rows: np.ndarray) -> dict[int, bytes]:
    """Returns a hash of the stored bytes of some images, by their rows."""
    rows = np.unique(rows)
    images = stored_images(split, rows)
    return {
        int(row): hashlib.sha256(image).digest()
        for row, image in zip(rows, images, strict=True)
    }


def _same_name(queries: SplitIndex, database: SplitIndex) -> np.ndarray:
    """Whether a database image has the name and the known position of each query.

    The name alone is none: photos of many sets are called 0001.jpg. Nor is a name
    that is the position again.
    """
    row_of = {key: row for row, key in enumerate(np.asarray(queries.keys).tolist())}
    keys = database.keys
    pairs = [
        (row_of[key], start + place)
        for start in range(0, len(keys), _KEYS_AT_ONCE)
        for place, key in enumerate(keys[start : start + _KEYS_AT_ONCE].tolist())
        if key in row_of and not _ONLY_POSITION.fullmatch(key.rpartition(b"/")[2])
    ]
    ours, theirs = np.array(pairs, np.int64).reshape(-1, 2).T
    same = queries.positions().known[ours]
    for column in POSITION_COLUMNS:
        same &= queries.column(column)[ours] == database.column(column)[theirs]
    found = np.zeros(len(queries), bool)
    found[ours[same]] = True
    return found
