"""Draws facades: walls, windows, ground floors, signs, and the line of the roof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.canvas import (
    NUM_GLYPHS,
    Colour,
    MetreCanvas,
    colour_from_hsv,
    shade,
)
from data_prep.synthesize.facade_style import FacadeStyle, draw_style
from data_prep.synthesize.roofs import roof_height_m, roof_profile


@dataclass(frozen=True)
class WallTexture:
    """A drawn wall.

    Attributes:
        columns: (width, height, 4) uint8: red, green, blue, glow; ground first.
        height_m: Metres that the texture's height spans.
        profile_m: (width,) height of the wall at each column.
    """

    columns: np.ndarray
    height_m: float
    profile_m: np.ndarray


def draw_facade(
    style_seed: int, seed: int, width_m: float, floors: int, pixels_per_m: float
) -> WallTexture:
    """Draws one facade.

    Args:
        style_seed: Decides colours, windows and roof; a building's sides share it.
        seed: Decides what this wall alone has: signs, lit windows, stains.
        width_m: Width of the wall.
        floors: Storeys, the ground floor included.
        pixels_per_m: Texels in a metre.
    """
    style = draw_style(np.random.default_rng((style_seed, 11)), width_m)
    rng = np.random.default_rng((seed, 12))
    eaves_m = style.ground_height_m + (floors - 1) * style.floor_height_m
    roof_m = roof_height_m(style.roof, width_m)
    canvas = MetreCanvas(width_m, eaves_m + roof_m + 0.2, pixels_per_m, style.wall)
    _draw_wall(canvas, style, eaves_m)
    canvas.rectangle(0, eaves_m, width_m, canvas.height_m, shade(style.second, 0.7))
    _draw_storeys(canvas, style, rng, floors)
    _draw_ground_floor(canvas, style, rng)
    if style.has_mural and floors > 2:
        _draw_mural(canvas, style, rng, eaves_m)
    if style.has_cornice:
        canvas.rectangle(0, eaves_m - 0.45, width_m, eaves_m, style.trim)
    profile = roof_profile(style.roof, canvas.image.width, eaves_m, width_m, rng)
    columns = _weathered(canvas.as_columns(), rng)
    return WallTexture(columns, canvas.height_m, profile)


def draw_plain_wall(
    seed: int, pixels_per_m: float, width_m: float, height_m: float
) -> WallTexture:
    """Draws the side or the back of a house: few windows, sometimes a painted sign."""
    rng = np.random.default_rng((seed, 13))
    style = draw_style(rng, width_m)
    canvas = MetreCanvas(width_m, height_m, pixels_per_m, shade(style.wall, 0.9))
    for z in np.arange(1.2, height_m - 2.0, 3.1):
        for x in np.arange(1.2, width_m - 1.5, 2.6):
            if rng.random() < 0.3:
                glow = int(rng.integers(1, 200))
                canvas.rectangle(x, z, x + 1.0, z + 1.3, style.glass, glow)
    if rng.random() < 0.4:
        _draw_mural(canvas, style, rng, height_m * 0.6)
    profile = np.full(canvas.image.width, height_m)
    return WallTexture(_weathered(canvas.as_columns(), rng), height_m, profile)


def _weathered(columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds stains and grain, so that no surface is of one colour."""
    width, height = columns.shape[:2]
    coarse = rng.normal(0.0, 0.05, (width // 12 + 2, height // 12 + 2))
    stains = coarse.repeat(12, axis=0).repeat(12, axis=1)[:width, :height]
    grain = 1.0 + stains + rng.normal(0.0, 0.035, (width, height))
    rgb = columns[..., :3] * grain[..., None]
    columns[..., :3] = np.clip(rgb, 0, 255).astype(np.uint8)
    return columns


def _draw_wall(canvas: MetreCanvas, style: FacadeStyle, eaves_m: float) -> None:
    width = canvas.width_m
    dark = shade(style.wall, 0.8)
    if style.pattern == "bricks":
        for z in np.arange(0.0, eaves_m, 0.5):
            canvas.rectangle(0, z, width, z + 0.16, dark)
    elif style.pattern == "bands":
        for z in np.arange(0.9, eaves_m, style.floor_height_m):
            canvas.rectangle(0, z, width, z + 0.9, style.second)
    elif style.pattern == "panels":
        for z in np.arange(0.0, eaves_m, 1.5):
            canvas.rectangle(0, z, width, z + 0.12, dark)
        for x in np.arange(0.0, width, 2.0):
            canvas.rectangle(x, 0, x + 0.12, eaves_m, dark)
    elif style.pattern == "stripes":
        for x in np.arange(0.4, width, 1.6):
            canvas.rectangle(x, 0, x + 0.6, eaves_m, style.second)
    elif style.pattern == "two_tone":
        canvas.rectangle(0, eaves_m * 0.55, width, eaves_m, style.second)
    elif style.pattern == "frame":
        canvas.rectangle(0, 0, 0.6, eaves_m, style.trim)
        canvas.rectangle(width - 0.6, 0, width, eaves_m, style.trim)


def _column_centres(style: FacadeStyle, width_m: float) -> list[tuple[float, float]]:
    """Returns (centre, width) of each window of a storey, by the rhythm."""
    cell = width_m / style.columns
    windows = []
    for k in range(style.columns):
        centre, width = (k + 0.5) * cell, cell * style.window_width
        from_middle = abs(k - (style.columns - 1) / 2)
        if style.rhythm == 1:
            centre += cell * (0.14 if k % 2 == 0 else -0.14)
        if style.rhythm == 2 and from_middle < 0.75:
            width = cell * 0.92
        if style.rhythm == 3 and from_middle < 0.75 and style.columns > 2:
            continue
        windows.append((centre, width))
    return windows


def _draw_storeys(
    canvas: MetreCanvas, style: FacadeStyle, rng: np.random.Generator, floors: int
) -> None:
    for floor in range(1, floors):
        base = style.ground_height_m + (floor - 1) * style.floor_height_m
        height = style.floor_height_m * style.window_height
        bottom = base + (style.floor_height_m - height) * 0.55
        if style.window == "ribbon":
            glow = int(rng.integers(1, 200))
            right = canvas.width_m - 0.4
            canvas.rectangle(0.4, bottom, right, bottom + height, style.glass, glow)
            for x, _ in _column_centres(style, canvas.width_m):
                canvas.rectangle(x - 0.1, bottom, x + 0.1, bottom + height, style.trim)
            continue
        for x, width in _column_centres(style, canvas.width_m):
            _draw_window(canvas, style, rng, x, bottom, width, height)
            if style.has_balconies:
                left, right = x - width * 0.65, x + width * 0.65
                canvas.rectangle(left, bottom - 0.2, right, bottom + 0.7, style.accent)


def _draw_window(
    canvas: MetreCanvas,
    style: FacadeStyle,
    rng: np.random.Generator,
    x: float,
    z: float,
    width: float,
    height: float,
) -> None:
    half = width / 2
    top = z + height
    glow = int(rng.integers(1, 200))
    glass = shade(style.glass, rng.uniform(0.7, 1.5))
    if style.window == "round":
        radius = min(half, height / 2)
        canvas.ellipse(x, z + height / 2, radius * 1.2, radius * 1.2, style.trim)
        canvas.ellipse(x, z + height / 2, radius, radius, glass, glow)
        return
    if style.window == "slot":
        half *= 0.45
    if style.window == "bay":
        canvas.rectangle(
            x - half * 1.25, z - 0.6, x + half * 1.25, top + 0.3, style.second
        )
    frame = 0.14
    canvas.rectangle(
        x - half - frame, z - frame, x + half + frame, top + frame, style.trim
    )
    if style.window == "arched":
        canvas.ellipse(x, top, half + frame, half * 0.8 + frame, style.trim)
        canvas.ellipse(x, top, half, half * 0.8, glass, glow)
    canvas.rectangle(x - half, z, x + half, top, glass, glow)
    if style.window in ("tall", "bay"):
        canvas.rectangle(x - 0.06, z, x + 0.06, top, style.trim)
    elif style.window == "square":
        canvas.rectangle(
            x - half, z + height / 2 - 0.06, x + half, z + height / 2 + 0.06, style.trim
        )
    elif style.window == "shutters":
        canvas.rectangle(x - half - 0.5, z, x - half, top, style.accent)
        canvas.rectangle(x + half, z, x + half + 0.5, top, style.accent)


def _draw_ground_floor(
    canvas: MetreCanvas, style: FacadeStyle, rng: np.random.Generator
) -> None:
    width, top = canvas.width_m, style.ground_height_m
    if style.ground_floor == "shop":
        _draw_shop(canvas, rng, 0.3, width - 0.3, top)
    elif style.ground_floor == "shops":
        middle = width * rng.uniform(0.35, 0.65)
        _draw_shop(canvas, rng, 0.2, middle - 0.2, top)
        _draw_shop(canvas, rng, middle + 0.2, width - 0.2, top)
    elif style.ground_floor == "arcade":
        arches = max(2, round(width / rng.uniform(2.4, 4.0)))
        cell = width / arches
        for k in range(arches):
            x = (k + 0.5) * cell
            canvas.rectangle(
                x - cell * 0.36, 0, x + cell * 0.36, top * 0.6, (35, 32, 34), 40
            )
            canvas.ellipse(x, top * 0.6, cell * 0.36, top * 0.25, (35, 32, 34), 40)
    elif style.ground_floor == "garage":
        left = width * rng.uniform(0.05, 0.4)
        canvas.rectangle(left, 0, left + width * 0.5, 2.8, shade(style.accent, 0.8))
        for z in np.arange(0.3, 2.8, 0.45):
            canvas.rectangle(
                left, z, left + width * 0.5, z + 0.12, shade(style.accent, 0.5)
            )
    else:
        _draw_door(canvas, style, rng, width * rng.uniform(0.2, 0.8))


def _draw_door(
    canvas: MetreCanvas, style: FacadeStyle, rng: np.random.Generator, x: float
) -> None:
    canvas.rectangle(x - 1.0, 0, x + 1.0, 2.9, style.trim)
    canvas.rectangle(x - 0.7, 0, x + 0.7, 2.5, style.accent)
    canvas.rectangle(x - 1.4, 2.9, x + 1.4, 3.2, style.trim)
    for k in (-2, -1, 1, 2):
        centre = x + k * 2.4
        if 0.9 < centre < canvas.width_m - 0.9:
            _draw_window(canvas, style, rng, centre, 1.0, 1.3, 1.6)


def _draw_shop(
    canvas: MetreCanvas, rng: np.random.Generator, left: float, right: float, top: float
) -> None:
    """Draws a shop window, a door, a sign board with big shapes, an awning."""
    colour = colour_from_hsv(
        rng.random(), rng.uniform(0.4, 0.95), rng.uniform(0.3, 0.9)
    )
    canvas.rectangle(left, 0, right, top - 0.1, shade(colour, 0.55))
    window_top = top - 1.7
    canvas.rectangle(left + 0.3, 0.6, right - 0.3, window_top, (70, 78, 84), 210)
    for x in np.arange(left + 0.3, right, rng.uniform(1.2, 2.6)):
        canvas.rectangle(x - 0.08, 0.6, x + 0.08, window_top, shade(colour, 0.55))
    door = rng.uniform(left + 0.5, max(left + 0.6, right - 1.7))
    canvas.rectangle(door, 0, door + 1.2, 2.4, shade(colour, 1.2))
    canvas.rectangle(door + 0.15, 0.3, door + 1.05, 2.2, (50, 56, 60), 210)
    board = colour if rng.random() < 0.6 else colour_from_hsv(rng.random(), 0.9, 0.9)
    canvas.rectangle(left, window_top + 0.15, right, top, board, 230)
    _draw_glyphs(
        canvas, rng, left + 0.3, right - 0.3, (window_top + top + 0.15) / 2, 0.62, board
    )
    if rng.random() < 0.5:
        _draw_awning(canvas, rng, left, right, window_top)


def _draw_awning(
    canvas: MetreCanvas, rng: np.random.Generator, left: float, right: float, top: float
) -> None:
    first = colour_from_hsv(rng.random(), 0.8, rng.uniform(0.4, 0.9))
    second = (235, 232, 225) if rng.random() < 0.6 else shade(first, 0.5)
    stripe = rng.uniform(0.3, 0.9)
    for index, x in enumerate(np.arange(left, right, stripe)):
        colour = first if index % 2 == 0 else second
        canvas.rectangle(x, top - 0.8, min(x + stripe, right), top + 0.1, colour)


def _contrast_colour(rng: np.random.Generator, board: Colour) -> Colour:
    bright = sum(board) > 380
    if rng.random() < 0.6:
        return (25, 22, 28) if bright else (245, 240, 225)
    return colour_from_hsv(rng.random(), 0.85, 0.35 if bright else 0.95)


def _draw_glyphs(
    canvas: MetreCanvas,
    rng: np.random.Generator,
    left: float,
    right: float,
    z: float,
    radius: float,
    board: Colour,
) -> None:
    colour = _contrast_colour(rng, board)
    room = max(1, int((right - left) / (2.5 * radius)))
    count = min(room, int(rng.integers(2, 7)))
    start = rng.uniform(left, max(left + 0.01, right - count * 2.5 * radius)) + radius
    for k in range(count):
        kind = int(rng.integers(NUM_GLYPHS))
        canvas.glyph(kind, start + k * 2.5 * radius, z, radius, colour, 250)


def _draw_mural(
    canvas: MetreCanvas, style: FacadeStyle, rng: np.random.Generator, top_m: float
) -> None:
    """Paints big shapes on the upper wall, as advertisements or street art."""
    low = min(style.ground_height_m, top_m * 0.4)
    height = (top_m - low) * rng.uniform(0.5, 0.9)
    width = canvas.width_m * rng.uniform(0.35, 0.9)
    x = rng.uniform(0, canvas.width_m - width)
    z = low + (top_m - low - height) * rng.random()
    board = colour_from_hsv(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.95))
    canvas.rectangle(
        x, z, x + width, z + height, board, 220 if rng.random() < 0.3 else 0
    )
    for _ in range(int(rng.integers(1, 4))):
        radius = min(width, height) * rng.uniform(0.18, 0.42)
        cx = x + rng.uniform(radius, max(radius + 0.01, width - radius))
        cz = z + rng.uniform(radius, max(radius + 0.01, height - radius))
        colour = _contrast_colour(rng, board)
        canvas.glyph(int(rng.integers(NUM_GLYPHS)), cx, cz, radius, colour, 0)
