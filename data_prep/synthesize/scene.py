"""A district ready to be drawn: walls with textures, ground, things that stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.atlas import Atlas, build_atlas
from data_prep.synthesize.city import (
    LOT_DEPTH_M,
    NUM_PLAIN_TEXTURES,
    Lot,
    StreetPlan,
)
from data_prep.synthesize.facades import WallTexture, draw_facade, draw_plain_wall
from data_prep.synthesize.ground import GroundMap, draw_ground

_TALLEST_M = 34.0


@dataclass(frozen=True)
class Walls:
    """Walls as parallel arrays.

    Attributes:
        start: (num_walls, 2) left end for someone who looks at the wall.
        edge: (num_walls, 2) from the left end to the right end.
        normal: (num_walls, 2) unit vector towards the outside.
        texture: (num_walls,) id in the atlas.
        scale: (num_walls,) height of the wall over that of its texture's profile.
    """

    start: np.ndarray
    edge: np.ndarray
    normal: np.ndarray
    texture: np.ndarray
    cut_m: np.ndarray


@dataclass(frozen=True)
class Scene:
    """All that the renderer reads of one district.

    Attributes:
        walls: Walls of houses.
        atlas: Textures of the walls.
        texture_height_m: (num_textures,) metres that a texture's height spans.
        profiles_m: (total_columns,) heights of all textures' columns.
        profile_offsets: (num_textures,) first column in `profiles_m`.
        profile_counts: (num_textures,) columns of a texture.
        ground: Picture of the ground.
        trees: (num_trees, 4) x, y, height in metres, kind.
        lamps: (num_lamps, 2) x, y.
    """

    walls: Walls
    atlas: Atlas
    texture_height_m: np.ndarray
    profiles_m: np.ndarray
    profile_offsets: np.ndarray
    profile_counts: np.ndarray
    ground: GroundMap
    trees: np.ndarray
    lamps: np.ndarray


class _WallList:
    """Collects walls and the textures that they need."""

    def __init__(self, textures: list[WallTexture]) -> None:
        self.textures = textures
        self.rows: list[tuple[np.ndarray, np.ndarray, int, float]] = []

    def add(
        self, start: np.ndarray, end: np.ndarray, texture: int, height_m: float
    ) -> None:
        self.rows.append((start, end, texture, height_m))

    def walls(self) -> Walls:
        start = np.array([row[0] for row in self.rows], np.float32)
        edge = np.array([row[1] for row in self.rows], np.float32) - start
        normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return Walls(
            start=start,
            edge=edge,
            normal=normal,
            texture=np.array([row[2] for row in self.rows], np.int32),
            cut_m=np.array([row[3] for row in self.rows], np.float32),
        )


def build_scene(
    plan: StreetPlan, rng: np.random.Generator, pixels_per_m: float
) -> Scene:
    """Draws every wall and the ground of a street plan.

    Args:
        plan: The district's streets and lots.
        rng: Source of the choices that the plan leaves open.
        pixels_per_m: Texels in a metre of wall.
    """
    plain = [
        draw_plain_wall(int(rng.integers(2**31)), pixels_per_m, LOT_DEPTH_M, _TALLEST_M)
        for _ in range(NUM_PLAIN_TEXTURES)
    ]
    collected = _WallList(plain)
    for lot in plan.lots:
        _add_lot(collected, lot, pixels_per_m)
    ground = draw_ground(plan, rng)
    profiles = [texture.profile_m.astype(np.float32) for texture in collected.textures]
    counts = np.array([len(profile) for profile in profiles], np.int32)
    return Scene(
        walls=collected.walls(),
        atlas=build_atlas([texture.columns for texture in collected.textures]),
        texture_height_m=np.array(
            [texture.height_m for texture in collected.textures], np.float32
        ),
        profiles_m=np.concatenate(profiles),
        profile_offsets=(np.cumsum(counts) - counts).astype(np.int32),
        profile_counts=counts,
        ground=ground,
        trees=np.array(plan.trees, np.float64).reshape(-1, 4),
        lamps=np.array(plan.lamps, np.float64).reshape(-1, 2),
    )


def _add_lot(collected: _WallList, lot: Lot, pixels_per_m: float) -> None:
    corners, rng = lot.corners, np.random.default_rng((lot.seed, 14))
    front_left, front_right, back_right, back_left = corners
    plain = rng.integers(0, NUM_PLAIN_TEXTURES, 3)
    if lot.is_gap:
        fence_m = float(rng.uniform(1.2, 2.6))
        collected.add(front_left, front_right, int(plain[0]), fence_m)
        return
    textures = collected.textures
    width = float(np.hypot(*(front_right - front_left)))
    front = draw_facade(lot.style_seed, lot.seed, width, lot.floors, pixels_per_m)
    textures.append(front)
    collected.add(front_left, front_right, len(textures) - 1, np.inf)
    body_m = float(np.median(front.profile_m))
    if lot.is_corner:
        depth = float(np.hypot(*(front_left - back_left)))
        side = draw_facade(
            lot.style_seed, lot.seed + 1, depth, lot.floors, pixels_per_m
        )
        textures.append(side)
        collected.add(back_left, front_left, len(textures) - 1, np.inf)
    else:
        collected.add(back_left, front_left, int(plain[0]), body_m)
    collected.add(front_right, back_right, int(plain[1]), body_m)
    collected.add(back_right, back_left, int(plain[2]), body_m)
