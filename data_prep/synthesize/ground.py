"""The ground of a district seen from above: roads, pavements, marks, parks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from data_prep.synthesize.canvas import Colour, colour_from_hsv
from data_prep.synthesize.city import Street, StreetPlan

PIXELS_PER_M = 5.0


@dataclass(frozen=True)
class GroundMap:
    """A picture of the ground.

    Attributes:
        texels: (size, size) uint32 of four bytes (red, green, blue, 0); row is y.
        pixels_per_m: Texels in a metre.
    """

    texels: np.ndarray
    pixels_per_m: float


def draw_ground(plan: StreetPlan, rng: np.random.Generator) -> GroundMap:
    """Draws roads with lane marks and crossings, pavements and parks."""
    size = int(np.ceil(plan.size_m * PIXELS_PER_M))
    image = Image.new("RGBA", (size, size), (88, 88, 92, 0))
    draw = ImageDraw.Draw(image)
    for street in plan.streets:
        _polygon(draw, _strip(street, 0.0, street.half_road_m), _asphalt(rng))
    for pavement in plan.pavements:
        _polygon(draw, pavement, _paving(rng))
    for street in plan.streets:
        _draw_marks(draw, street, rng)
    for park in plan.parks:
        _polygon(draw, park, (86, 122, 62))
    pixels = np.array(image)
    coarse = rng.integers(0, 22, (size // 6 + 1, size // 6 + 1), np.uint8)
    grain = coarse.repeat(6, axis=0).repeat(6, axis=1)[:size, :size]
    grain += rng.integers(0, 14, (size, size), np.uint8)
    pixels[..., :3] = np.maximum(pixels[..., :3], 40) - grain[..., None]
    return GroundMap(pixels.view(np.uint32).reshape(size, size), PIXELS_PER_M)


def _asphalt(rng: np.random.Generator) -> Colour:
    return colour_from_hsv(
        rng.uniform(0.0, 1.0), rng.uniform(0, 0.06), rng.uniform(0.34, 0.5)
    )


def _paving(rng: np.random.Generator) -> Colour:
    return colour_from_hsv(
        rng.uniform(0.03, 0.14), rng.uniform(0.02, 0.3), rng.uniform(0.55, 0.75)
    )


def _polygon(draw: ImageDraw.ImageDraw, points: np.ndarray, colour: Colour) -> None:
    draw.polygon(
        [(float(x) * PIXELS_PER_M, float(y) * PIXELS_PER_M) for x, y in points],
        fill=(*colour, 0),
    )


def _strip(street: Street, offset: float, half_width: float) -> np.ndarray:
    """Returns a rectangle along the street, `offset` metres right of its centre."""
    return _dash(street, offset, half_width, 0.0, street.length_m)


def _dash(
    street: Street, offset: float, half_width: float, start_m: float, end_m: float
) -> np.ndarray:
    low = street.start + street.direction * start_m
    high = street.start + street.direction * end_m
    near = street.right * (offset - half_width)
    far = street.right * (offset + half_width)
    return np.array([low + near, high + near, high + far, low + far])


def _draw_marks(
    draw: ImageDraw.ImageDraw, street: Street, rng: np.random.Generator
) -> None:
    paint: Colour = (205, 205, 200)
    centre: Colour = (205, 175, 70) if rng.random() < 0.4 else paint
    margin, length, half = 11.0, street.length_m, street.half_road_m
    if rng.random() < 0.35:
        _polygon(draw, _dash(street, 0.0, 0.1, margin, length - margin), centre)
    else:
        for start in np.arange(margin, length - margin - 2.5, 6.0):
            _polygon(draw, _dash(street, 0.0, 0.1, start, start + 2.5), centre)
    if half > 5.0:
        for side in (-1.0, 1.0):
            offset = side * (half - 2.2)
            _polygon(draw, _dash(street, offset, 0.06, margin, length - margin), paint)
    for end in (margin - 2.5, length - margin + 0.5):
        if rng.random() < 0.7:
            for offset in np.arange(-half + 0.5, half, 1.1):
                _polygon(draw, _dash(street, offset, 0.28, end, end + 2.2), paint)
