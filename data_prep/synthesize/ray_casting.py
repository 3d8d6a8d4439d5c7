"""Finds the walls that each column of a panorama sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.scene import Walls

VIEW_RANGE_M = 130.0
LAYERS = 3  # a wall, and what rises behind it
FAR_M = np.float32(1e5)


@dataclass(frozen=True)
class Hits:
    """The nearest walls of each column, (LAYERS, columns).

    Attributes:
        wall: Index in the scene's walls.
        distance: Metres; FAR_M where there is no wall.
        along: Share of the wall left of the hit, in [0, 1).
    """

    wall: np.ndarray
    distance: np.ndarray
    along: np.ndarray


def cast_rays(walls: Walls, camera: np.ndarray, rays: np.ndarray) -> Hits:
    """Intersects all rays with all walls that face the camera.

    Args:
        walls: Walls of the district.
        camera: (2,) position.
        rays: (2, columns) unit vectors.
    """
    to_start = walls.start - camera.astype(np.float32)
    to_end = to_start + walls.edge
    nearest = np.minimum((to_start**2).sum(1), (to_end**2).sum(1))
    faces = (to_start * walls.normal).sum(1) < 0
    chosen = np.flatnonzero(faces & (nearest < VIEW_RANGE_M**2))
    if not chosen.size:
        shape = (LAYERS, rays.shape[1])
        return Hits(np.zeros(shape, int), np.full(shape, FAR_M), np.zeros(shape))
    start, edge = to_start[chosen], walls.edge[chosen]
    across = _outer(edge[:, 1], rays[0]) - _outer(edge[:, 0], rays[1])
    beside = _outer(start[:, 0], rays[1]) - _outer(start[:, 1], rays[0])
    offset = start[:, 0] * edge[:, 1] - start[:, 1] * edge[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / across
        distance = offset[:, None] * inverse
        along = beside * inverse
    distance[~((along >= 0) & (along < 1) & (distance > 0.2))] = FAR_M
    columns = np.arange(rays.shape[1])
    layers = []
    for _ in range(LAYERS):
        index = distance.argmin(axis=0)
        layers.append((chosen[index], distance[index, columns], along[index, columns]))
        distance[index, columns] = FAR_M
    wall, depth, share = (np.stack(parts) for parts in zip(*layers, strict=True))
    return Hits(wall, depth, np.clip(np.nan_to_num(share), 0.0, 0.99999))


def _outer(by_wall: np.ndarray, by_ray: np.ndarray) -> np.ndarray:
    # Not a matrix product: its order of sums could depend on the machine.
    return by_wall[:, None] * by_ray
