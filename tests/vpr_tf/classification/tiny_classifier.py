"""Heads over a small grid of places, as random or as right as a test wants them."""

import numpy as np

from vpr_tf.classification import ClassTable, GridCells, GroupHead, PlaceClassifier
from vpr_tf.classification.class_table import OWN_GROUP, PRODUCT
from vpr_tf.geo import Positions, utm_to_lat_lon

EAST_CM, NORTH_CM, ZONE = 548_000_00, 4_173_000_00, 10


def positions_at(east_m, north_m=0.0, zone=ZONE) -> Positions:
    """Returns places some metres from a corner of the grid."""
    east_m, north_m, zone = np.broadcast_arrays(
        np.asarray(east_m, np.float64), np.asarray(north_m, np.float64), zone
    )
    east_cm = EAST_CM + np.rint(east_m * 100).astype(np.int64)
    north_cm = NORTH_CM + np.rint(north_m * 100).astype(np.int64)
    latitude, longitude = utm_to_lat_lon(
        east_cm / 100, north_cm / 100, np.where(zone == 0, ZONE, zone)
    )
    return Positions(east_cm, north_cm, zone.astype(np.int16), latitude, longitude)


def street_table(num_places, num_groups=4, size_m=20, apart=1) -> ClassTable:
    """Cells along a street, the groups in turn, as Divide&Classify has them."""
    rows = np.arange(num_places)
    cells = rows * apart
    members = np.full((num_places, num_groups), -1, np.int32)
    order = np.lexsort((rows, rows % num_groups))
    group = (rows % num_groups)[order]
    members[rows, group] = rows - np.searchsorted(group, group)
    east = EAST_CM // (100 * size_m) + cells[order]
    north = np.full(num_places, NORTH_CM // (100 * size_m))
    middle_m = (cells[order] + 0.5) * size_m
    return ClassTable(
        positions_at(middle_m, size_m / 2),
        np.full(num_places, -1.0),
        members,
        rows,
        GridCells(size_m, np.full(num_places, ZONE), east, north),
        OWN_GROUP,
    )


def shared_table(num_places, num_groups=3) -> ClassTable:
    """Places with a class in every group."""
    one = street_table(num_places, 1)
    rng = np.random.default_rng(0)
    classes = [rng.integers(0, 4 + g, num_places) for g in range(num_groups)]
    members = np.stack(classes, axis=1).astype(np.int32)
    return ClassTable(
        one.positions, one.heading_deg, members, one.cell, one.cells, PRODUCT
    )


def random_classifier(
    table, dim=6, kind="cosine", score="cosine", hidden=0, seed=0
) -> PlaceClassifier:
    """Heads of random numbers for the places of a table."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    heads = []
    for group in range(table.num_groups):
        classes = int(table.members[:, group].max()) + 1
        layers = tuple((normal(dim, dim), normal(dim)) for _ in range(hidden))
        bias = None if kind == "cosine" else normal(classes)
        density = None
        if kind == "mixture":
            density = np.exp(normal(classes, classes))
        scale = 10.0 if kind == "cosine" else 1.0
        heads.append(
            GroupHead(kind, normal(dim, classes), bias, scale, layers, density)
        )
    return PlaceClassifier(table, tuple(heads), score)


def knowing_classifier(table, dim=32, score="cosine", seed=0, alike=True):
    """Heads that know their places, and descriptors of photos of these.

    Returns:
        The classifier, and a function that draws descriptors, the truth and how hard
        each photo is.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(len(table), dim))
    if alike:  # near places, so that all groups have something to go by
        steps = np.cumsum(steps, axis=0)
    order = np.argsort(table.positions.utm_east_cm)
    looks = np.empty((len(table), dim))
    looks[order] = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    heads = []
    for places in table.places_of_groups:
        kernel = looks[places].T.astype(np.float32)
        heads.append(GroupHead("cosine", kernel, scale=30.0))
    classifier = PlaceClassifier(table, tuple(heads), score)

    def photos(num_photos, photo_seed):
        draw = np.random.default_rng(photo_seed)
        places = draw.integers(0, len(table), num_photos)
        noise = draw.uniform(0, 0.5, num_photos)
        seen = looks[places] + noise[:, None] * draw.normal(size=(num_photos, dim))
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        return seen.astype(np.float32), table.positions.take(places), noise

    return classifier, photos
