"""Paints walls: one run of rows for each column and layer."""

from __future__ import annotations

import numpy as np

from data_prep.synthesize.atlas import NUM_LEVELS
from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.pixels import (
    as_items,
    clear_share,
    gain_and_haze,
    run_rows,
    spread,
    sunlight,
)
from data_prep.synthesize.ray_casting import FAR_M, LAYERS, Hits
from data_prep.synthesize.scene import Scene
from data_prep.synthesize.strip import Strip
from vpr_tf.light_and_air import LAMPLIGHT, LAMPLIGHT_LEVEL

_LAMPLIGHT = np.array([*LAMPLIGHT, 0.0], np.float32)


def paint_walls(
    canvas: np.ndarray,
    scene: Scene,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    hits: Hits,
) -> np.ndarray:
    """Paints all walls.

    Args:
        canvas: (columns, rows, 4) float32, painted in place.
        scene: District.
        camera: (3,) x, y and height in metres.
        strip: What the canvas shows.
        conditions: Light and haze.
        hits: Walls of each column.

    Returns:
        (columns,) the row where the nearest wall meets the ground.
    """
    first, runs, ground_row = _runs(scene, camera, strip, hits)
    which, row = run_rows(first, runs)
    offset, texels_per_m, last = _texel_columns(scene, strip, hits)
    # The height that a row sees is linear in the row, and so is the texel.
    distance = hits.distance.ravel()
    slope = -strip.row_step * distance * texels_per_m
    start = (camera[2] + (strip.top - 0.5 * strip.row_step) * distance) * texels_per_m
    texel = (start[which] + slope[which] * row).astype(np.int32)
    np.clip(texel, 0, last[which], out=texel)
    texel += offset[which]
    texels = scene.atlas.texels.take(texel).view(np.uint8).reshape(-1, 4)
    columns = np.tile(np.arange(strip.columns, dtype=np.int32), LAYERS)
    positions = (columns * strip.rows)[which] + row
    colours = _lit(texels, scene, conditions, hits, which)
    as_items(canvas.reshape(-1, 4))[positions] = as_items(colours)
    return ground_row


def _runs(
    scene: Scene, camera: np.ndarray, strip: Strip, hits: Hits
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns first rows and lengths of the runs, flat, and the rows of the ground."""
    texture = scene.walls.texture[hits.wall]
    column = (hits.along * scene.profile_counts[texture]).astype(np.int32)
    height = scene.profiles_m[scene.profile_offsets[texture] + column]
    height = np.minimum(height, scene.walls.cut_m[hits.wall])
    height = np.where(hits.distance >= FAR_M, 0.0, height)
    tops = np.maximum.accumulate((height - camera[2]) / hits.distance, axis=0)
    first = strip.rows_of(tops)
    ground_row = strip.rows_of(-camera[2] / hits.distance[0])
    last = np.concatenate([ground_row[None], first[:-1]])
    return first.ravel(), np.maximum(last - first, 0).ravel(), ground_row


def _texel_columns(
    scene: Scene, strip: Strip, hits: Hits
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chooses level and texture column of each hit.

    Returns:
        First texel of the column, texels in a metre, last texel of the column; flat.
    """
    atlas, texture = scene.atlas, scene.walls.texture[hits.wall]
    height_m = scene.texture_height_m[texture]
    upwards = atlas.heights[texture, 0] / height_m * hits.distance * strip.row_step
    along = hits.along * atlas.widths[texture, 0]
    sideways = np.abs(np.diff(along, axis=1, append=along[:, -1:]))
    sideways[hits.wall != np.roll(hits.wall, -1, axis=1)] = 1.0
    footprint = np.sqrt(upwards * np.maximum(sideways, upwards))
    level = np.log2(np.maximum(footprint, 1e-3)).round()
    level = np.clip(level, 0, NUM_LEVELS - 1).astype(np.int32)
    heights = atlas.heights[texture, level]
    column = (hits.along * atlas.widths[texture, level]).astype(np.int32)
    offset = atlas.offsets[texture, level] + column * heights
    texels_per_m = (heights / height_m).astype(np.float32)
    return offset.ravel(), texels_per_m.ravel(), (heights - 1).ravel()


def _lit(
    texels: np.ndarray,
    scene: Scene,
    conditions: Conditions,
    hits: Hits,
    which: np.ndarray,
) -> np.ndarray:
    """Returns (num_pixels, 4) float32 colours under light, haze and glow."""
    distance = hits.distance.ravel()
    light = sunlight(conditions, scene.walls.normal[hits.wall.ravel()])
    gain, haze = gain_and_haze(conditions, light, distance)
    colours = texels.astype(np.float32)
    colours *= spread(gain, which)
    colours += spread(haze, which)
    if conditions.glow > 0:
        shining = np.flatnonzero(texels[:, 3])
        clear = clear_share(conditions, distance)[which[shining]]
        lit = _glow_by_value(conditions)[texels[shining, 3]] * clear
        colours[shining] += lit[:, None].astype(np.float32) * _LAMPLIGHT
    return colours


def _glow_by_value(conditions: Conditions) -> np.ndarray:
    """Returns (256,) light that a texel of each glow value sends.

    Values 1 to 200 are windows, lit or not; those above are signs and shops.
    """
    table = np.zeros(256, np.float32)
    rng = np.random.default_rng((conditions.seed, 52))
    table[1:201] = rng.random(200) < 0.4
    table[201:] = 1.0
    return table * np.float32(LAMPLIGHT_LEVEL * conditions.glow)
