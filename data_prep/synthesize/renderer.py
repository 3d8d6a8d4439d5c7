"""Draws cylindrical panoramas of a scene by casting one ray for each column.

A column of the panorama is an azimuth, a row is the tangent of the elevation, so a
wall is a run of rows whose texel is linear in the row. All runs of a panorama are
gathered from one texture atlas in a few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.atlas import NUM_LEVELS
from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.scene import Scene
from data_prep.synthesize.standing import StandingPicture

_VIEW_RANGE_M = 130.0
_LAYERS = 3  # a wall, and what rises behind it
_FAR_M = np.float32(1e5)


@dataclass(frozen=True)
class Strip:
    """Which part of the cylinder around a camera is drawn.

    Attributes:
        azimuth_start: Azimuth of the left edge in radians, clockwise from north.
        azimuth_step: Radians from column to column.
        columns: Number of columns.
        top: Tangent of the elevation at the upper edge.
        row_step: Tangent from row to row, downwards.
        rows: Number of rows.
    """

    azimuth_start: float
    azimuth_step: float
    columns: int
    top: float
    row_step: float
    rows: int

    def azimuths(self) -> np.ndarray:
        """Returns (columns,) azimuths of the column centres in radians."""
        steps = np.arange(self.columns, dtype=np.float32) + np.float32(0.5)
        return np.float32(self.azimuth_start) + steps * np.float32(self.azimuth_step)

    def tangents(self) -> np.ndarray:
        """Returns (rows,) tangents of elevation at the row centres."""
        steps = np.arange(self.rows, dtype=np.float32) + np.float32(0.5)
        return np.float32(self.top) - steps * np.float32(self.row_step)


@dataclass(frozen=True)
class _Hits:
    """The nearest walls of each column, (layers, columns)."""

    wall: np.ndarray
    distance: np.ndarray
    along: np.ndarray


def draw_panorama(
    scene: Scene,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    pictures: list[StandingPicture],
) -> np.ndarray:
    """Draws what a camera sees around it.

    Args:
        scene: District.
        camera: (3,) x, y and height in metres.
        strip: Part of the cylinder.
        conditions: Light, air and season.
        pictures: Cars, people and trees, farthest first.

    Returns:
        (columns, rows) uint32, each four bytes: red, green, blue, 255.
    """
    azimuths = strip.azimuths()
    rays = np.stack([np.sin(azimuths), np.cos(azimuths)])
    canvas = _sky(strip, conditions)
    hits = _cast(scene, camera, rays)
    wall_rows = _draw_walls(canvas, scene, camera, strip, conditions, hits)
    _draw_ground(canvas, scene, camera, strip, conditions, rays, wall_rows)
    for picture in pictures:
        _draw_picture(
            canvas, picture, camera, strip, conditions, rays, hits.distance[0]
        )
    np.clip(canvas, 0, 255, out=canvas)
    return canvas.astype(np.uint8).view(np.uint32)[..., 0]


def _items(pixels: np.ndarray) -> np.ndarray:
    """Views (..., 4) float32 pixels as single 16-byte items: NumPy moves those fast."""
    return pixels.view(np.complex128)[..., 0]


def _spread(by_run: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Returns by_run[which] for (num_runs, 4) float32 rows."""
    return _items(by_run).take(which).view(np.float32).reshape(-1, 4)


def _rgb1(colour: np.ndarray) -> np.ndarray:
    """Appends a fourth channel of zeros and makes (..., 4) float32 rows."""
    padded = np.zeros((*colour.shape[:-1], 4), np.float32)
    padded[..., :3] = colour
    return padded


def _sky(strip: Strip, conditions: Conditions) -> np.ndarray:
    """Returns (columns, rows, 4) float32 filled with sky and clouds."""
    tall, wide = 3, 5
    height = np.clip(strip.tangents()[::tall], 0.0, 1.2)[:, None] / 1.2
    zenith, horizon = np.array(conditions.zenith), np.array(conditions.horizon)
    gradient = horizon + (zenith - horizon) * np.sqrt(height)
    around = int(np.ceil(2 * np.pi / strip.azimuth_step / wide)) + 1
    rng = np.random.default_rng((conditions.seed, 51))
    clouds = np.zeros((around, len(height)), np.float32)
    for size, strength in ((14, 40.0), (5, 26.0), (2, 10.0)):
        shape = (around // size + 1, len(height) // (size // 2) + 1)
        noise = rng.random(shape, np.float32) - 0.45
        noise = noise.repeat(size, axis=0).repeat(size // 2, axis=1)
        clouds += _smooth(noise[:around, : len(height)], size) * strength
    sky = _rgb1(gradient + clouds[..., None] * conditions.clouds)
    sky[..., 3] = 255.0
    first = int(strip.azimuth_start % (2 * np.pi) / strip.azimuth_step)
    column = ((np.arange(strip.columns) + first) // wide) % around
    row = np.arange(strip.rows) // tall
    positions = column[:, None] * len(height) + row
    canvas = _items(sky.reshape(-1, 4)).take(positions)
    return canvas.view(np.float32).reshape(strip.columns, strip.rows, 4)


def _smooth(noise: np.ndarray, size: int) -> np.ndarray:
    """Blurs along columns that wrap around, so that clouds have no square edges."""
    total = sum(np.roll(noise, step, axis=0) for step in range(size))
    return total / size


def _cast(scene: Scene, camera: np.ndarray, rays: np.ndarray) -> _Hits:
    """Finds the nearest `_LAYERS` walls that face the camera in each column."""
    walls = scene.walls
    to_start = walls.start - camera[:2].astype(np.float32)
    to_end = to_start + walls.edge
    nearest = np.minimum((to_start**2).sum(1), (to_end**2).sum(1))
    faces = (to_start * walls.normal).sum(1) < 0
    chosen = np.flatnonzero(faces & (nearest < _VIEW_RANGE_M**2))
    start, edge = to_start[chosen], walls.edge[chosen]
    across = np.stack([edge[:, 1], -edge[:, 0]], axis=1) @ rays
    offset = start[:, 0] * edge[:, 1] - start[:, 1] * edge[:, 0]
    beside = np.stack([-start[:, 1], start[:, 0]], axis=1) @ rays
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / across
        distance = offset[:, None] * inverse
        along = beside * inverse
    missed = ~((along >= 0) & (along < 1) & (distance > 0.2))
    distance[missed] = _FAR_M
    columns = np.arange(rays.shape[1])
    layers = []
    for _ in range(_LAYERS):
        index = distance.argmin(axis=0)
        layers.append((chosen[index], distance[index, columns], along[index, columns]))
        distance[index, columns] = _FAR_M
    wall, depth, u = (np.stack(parts) for parts in zip(*layers, strict=True))
    return _Hits(wall, depth, np.clip(np.nan_to_num(u), 0.0, 0.99999))


def _light(conditions: Conditions, normal: np.ndarray) -> np.ndarray:
    """Returns (..., 3) multipliers for surfaces with the given normals."""
    azimuth = np.deg2rad(conditions.sun_azimuth_deg)
    towards = np.array([np.sin(azimuth), np.cos(azimuth)], np.float32)
    facing = np.clip(normal @ towards, 0.0, 1.0)[..., None]
    ambient = np.array(conditions.ambient, np.float32)
    return ambient + np.array(conditions.sun, np.float32) * facing


def _clear_share(conditions: Conditions, distance: np.ndarray) -> np.ndarray:
    return np.exp(-distance / np.float32(conditions.haze_length_m)).astype(np.float32)


def _glow_by_value(conditions: Conditions) -> np.ndarray:
    """Returns (256,) light that a texel of each glow value sends."""
    table = np.zeros(256, np.float32)
    if conditions.glow > 0:
        rng = np.random.default_rng((conditions.seed, 52))
        table[1:201] = rng.random(200) < 0.4
        table[201:] = 1.0
        table *= 150.0 * conditions.glow
    return table


def _draw_walls(
    canvas: np.ndarray,
    scene: Scene,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    hits: _Hits,
) -> np.ndarray:
    """Draws all walls; returns (columns,) the row where the nearest one meets ground."""
    texture = scene.walls.texture[hits.wall]
    counts = scene.profile_counts[texture]
    column = (hits.along * counts).astype(np.int32)
    height = scene.profiles_m[scene.profile_offsets[texture] + column]
    height = np.minimum(height, scene.walls.cut_m[hits.wall])
    height = np.where(hits.distance >= _FAR_M, 0.0, height)
    tops = np.maximum.accumulate((height - camera[2]) / hits.distance, axis=0)
    first = _row_of(strip, tops)
    ground_row = _row_of(strip, -camera[2] / hits.distance[0])
    last = np.concatenate([ground_row[None], first[:-1]])
    runs = np.maximum(last - first, 0).ravel()
    total = int(runs.sum())
    which = np.repeat(np.arange(runs.size, dtype=np.int32), runs)
    before = (np.cumsum(runs) - runs).astype(np.int32)
    row = np.arange(total, dtype=np.int32) + (first.ravel() - before)[which]

    distance = hits.distance.ravel()
    offset, texels_per_m, limit = _texel_columns(scene, strip, hits, texture)
    slope = -strip.row_step * distance * texels_per_m
    start = (camera[2] + (strip.top - 0.5 * strip.row_step) * distance) * texels_per_m
    v = (start[which] + slope[which] * row).astype(np.int32)
    np.clip(v, 0, limit[which], out=v)
    v += offset[which]
    texels = scene.atlas.texels.take(v).view(np.uint8).reshape(-1, 4)
    columns = np.tile(np.arange(strip.columns, dtype=np.int32), _LAYERS)
    positions = (columns * strip.rows)[which] + row
    colours = _lit_walls(texels, scene, conditions, hits, which)
    _items(canvas.reshape(-1, 4))[positions] = _items(colours)
    return ground_row


def _lit_walls(
    texels: np.ndarray,
    scene: Scene,
    conditions: Conditions,
    hits: _Hits,
    which: np.ndarray,
) -> np.ndarray:
    """Returns (num_pixels, 4) float32 colours under light, haze and glow."""
    clear = _clear_share(conditions, hits.distance.ravel())[:, None]
    gain = _light(conditions, scene.walls.normal[hits.wall.ravel()]) * clear
    haze = _rgb1(np.array(conditions.horizon) * (1.0 - clear))
    haze[:, 3] = 255.0
    colours = texels.astype(np.float32)
    colours *= _spread(_rgb1(gain), which)
    colours += _spread(haze, which)
    if conditions.glow > 0:
        shining = np.flatnonzero(texels[:, 3])
        lit = _glow_by_value(conditions)[texels[shining, 3]]
        lit = lit * clear[which[shining], 0]
        colours[shining] += lit[:, None] * np.array([1.0, 0.85, 0.55, 0], np.float32)
    return colours


def _row_of(strip: Strip, tangent: np.ndarray) -> np.ndarray:
    """Returns the first row whose centre is at or below a tangent."""
    rows = np.ceil((strip.top - tangent) / strip.row_step - 0.5)
    return np.clip(rows, 0, strip.rows).astype(np.int32)


def _texel_columns(
    scene: Scene, strip: Strip, hits: _Hits, texture: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chooses level and texture column of each hit.

    Returns:
        First texel of the column, texels in a metre, last texel of the column; flat.
    """
    atlas = scene.atlas
    full = atlas.heights[texture, 0] / scene.texture_height_m[texture]
    texels_per_row = full * hits.distance * strip.row_step
    along = hits.along * atlas.widths[texture, 0]
    sideways = np.abs(np.diff(along, axis=1, append=along[:, -1:]))
    sideways[hits.wall != np.roll(hits.wall, -1, axis=1)] = 1.0
    footprint = np.sqrt(texels_per_row * np.maximum(sideways, texels_per_row))
    level = np.log2(np.maximum(footprint, 1e-3)).round()
    level = np.clip(level, 0, NUM_LEVELS - 1).astype(np.int32)
    heights = atlas.heights[texture, level]
    column = (hits.along * atlas.widths[texture, level]).astype(np.int32)
    offset = atlas.offsets[texture, level] + column * heights
    texels_per_m = heights / scene.texture_height_m[texture]
    return (
        offset.ravel(),
        texels_per_m.astype(np.float32).ravel(),
        (heights - 1).astype(np.int32).ravel(),
    )


def _draw_ground(
    canvas: np.ndarray,
    scene: Scene,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    rays: np.ndarray,
    first: np.ndarray,
) -> None:
    horizon = int(_row_of(strip, np.float32(-camera[2] / _VIEW_RANGE_M / 2)))
    first = np.maximum(first, horizon)
    runs = strip.rows - first
    total = int(runs.sum())
    which = np.repeat(np.arange(strip.columns, dtype=np.int32), runs)
    before = (np.cumsum(runs) - runs).astype(np.int32)
    row = np.arange(total, dtype=np.int32) + (first - before)[which]
    with np.errstate(divide="ignore"):
        by_row = (camera[2] / -strip.tangents()).astype(np.float32)
    scale, texels = scene.ground.pixels_per_m, scene.ground.texels
    reach = (by_row * np.float32(scale))[row]
    x = (rays[0][which] * reach + np.float32(camera[0] * scale)).astype(np.int32)
    y = (rays[1][which] * reach + np.float32(camera[1] * scale)).astype(np.int32)
    size = texels.shape[0]
    np.clip(x, 0, size - 1, out=x)
    np.clip(y, 0, size - 1, out=y)
    y *= size
    y += x
    colours = texels.reshape(-1).take(y).view(np.uint8).reshape(-1, 4)
    colours = colours.astype(np.float32)
    light = np.array(conditions.ambient) + 0.5 * np.array(conditions.sun)
    clear = _clear_share(conditions, np.clip(by_row, 0.0, 1e4))[:, None]
    haze = _rgb1(np.array(conditions.horizon) * (1.0 - clear))
    haze[:, 3] = 255.0
    colours *= _spread(_rgb1(light * clear), row)
    colours += _spread(haze, row)
    positions = (np.arange(strip.columns, dtype=np.int32) * strip.rows)[which] + row
    _items(canvas.reshape(-1, 4))[positions] = _items(colours)


def _draw_picture(
    canvas: np.ndarray,
    picture: StandingPicture,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    rays: np.ndarray,
    wall_distance: np.ndarray,
) -> None:
    """Blends one standing picture over what is behind it."""
    left = (picture.left - camera[:2]).astype(np.float32)
    edge = (picture.right - picture.left).astype(np.float32)
    ends = [np.arctan2(*left), np.arctan2(*(left + edge))]
    turn = 2 * np.pi
    first = (ends[0] - strip.azimuth_start) % turn
    width = (ends[1] - ends[0]) % turn
    if width > np.pi:
        return
    for start in (first, first - turn):
        low = max(0, int(start / strip.azimuth_step))
        high = min(strip.columns, int((start + width) / strip.azimuth_step) + 1)
        if high > low:
            _blend(
                canvas[low:high],
                picture,
                left,
                edge,
                camera[2],
                strip,
                conditions,
                rays[:, low:high],
                wall_distance[low:high],
            )


def _blend(
    canvas: np.ndarray,
    picture: StandingPicture,
    left: np.ndarray,
    edge: np.ndarray,
    camera_height: float,
    strip: Strip,
    conditions: Conditions,
    rays: np.ndarray,
    wall_distance: np.ndarray,
) -> None:
    across = rays[0] * edge[1] - rays[1] * edge[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (left[0] * edge[1] - left[1] * edge[0]) / across
        along = (left[0] * rays[1] - left[1] * rays[0]) / across
    seen = (along >= 0) & (along < 1) & (distance > 0.3) & (distance < wall_distance)
    if not seen.any():
        return
    inner = np.flatnonzero(seen)
    low, high = int(inner[0]), int(inner[-1]) + 1
    seen, distance, along = seen[low:high], distance[low:high], along[low:high]
    distance = np.where(seen, distance, 1.0)
    near = float(distance[seen].min())
    top = int(_row_of(strip, np.float32((picture.height_m - camera_height) / near)))
    far = float(distance[seen].max()) if picture.height_m < camera_height else near
    top = min(
        top, int(_row_of(strip, np.float32((picture.height_m - camera_height) / far)))
    )
    bottom = int(_row_of(strip, np.float32(-camera_height / near)))
    if bottom <= top:
        return
    scale = picture.sprite.levels[0].shape[1] / picture.height_m
    level = int(np.clip(np.log2(max(scale * near * strip.row_step, 1.0)), 0, 4))
    pixels = picture.sprite.levels[level]
    u = np.clip(along * pixels.shape[0], 0, pixels.shape[0] - 1).astype(np.int32)
    tangents = strip.tangents()[top:bottom]
    z = camera_height + tangents[None] * distance[:, None]
    v = np.floor(z * (pixels.shape[1] / picture.height_m)).astype(np.int32)
    inside = (v >= 0) & (v < pixels.shape[1]) & seen[:, None]
    np.clip(v, 0, pixels.shape[1] - 1, out=v)
    texels = pixels[u[:, None], v].astype(np.float32)
    texels *= inside[..., None]
    light = np.array(conditions.ambient) + 0.4 * np.array(conditions.sun)
    clear = float(_clear_share(conditions, np.float32(near)))
    gain = _rgb1(light * np.array(picture.tint) * clear)
    haze = _rgb1(np.array(conditions.horizon) * (1.0 - clear))
    gain[3], haze[3] = 1.0, 0.0
    opacity = texels[..., 3:] * np.float32(1 / 255)
    target = canvas[low:high, top:bottom]
    target *= 1.0 - opacity
    target += texels * gain + haze * opacity
