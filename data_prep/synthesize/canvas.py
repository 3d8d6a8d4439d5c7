"""A drawing surface in metres with colour and glow, seen as a wall is seen."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
NUM_GLYPHS = 12


def colour_from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Returns 8-bit red, green, blue."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


def shade(colour: Colour, factor: float) -> Colour:
    """Makes a colour darker (below 1) or lighter (above 1)."""
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


class MetreCanvas:
    """Draws in metres: x from the left, z from the ground; glow is 0 to 255."""

    def __init__(
        self, width_m: float, height_m: float, pixels_per_m: float, colour: Colour
    ) -> None:
        self.width_m = width_m
        self.height_m = height_m
        self.pixels_per_m = pixels_per_m
        size = (
            max(2, round(width_m * pixels_per_m)),
            max(2, round(height_m * pixels_per_m)),
        )
        self.image = Image.new("RGBA", size, (*colour, 0))
        self._draw = ImageDraw.Draw(self.image)

    def _point(self, x: float, z: float) -> tuple[float, float]:
        scale = self.pixels_per_m
        return x * scale, self.image.height - 1 - z * scale

    def rectangle(
        self, x0: float, z0: float, x1: float, z1: float, colour: Colour, glow: int = 0
    ) -> None:
        """Fills x0..x1, z0..z1; empty when smaller than a pixel's rounding."""
        left, bottom = self._point(min(x0, x1), min(z0, z1))
        right, top = self._point(max(x0, x1), max(z0, z1))
        box = (round(left), round(top) + 1, round(right) - 1, round(bottom))
        if box[2] >= box[0] and box[3] >= box[1]:
            self._draw.rectangle(box, fill=(*colour, glow))

    def polygon(
        self, points: Sequence[tuple[float, float]], colour: Colour, glow: int = 0
    ) -> None:
        """Fills a polygon of (x, z) points."""
        self._draw.polygon([self._point(*p) for p in points], fill=(*colour, glow))

    def ellipse(
        self, x: float, z: float, rx: float, rz: float, colour: Colour, glow: int = 0
    ) -> None:
        """Fills an ellipse around (x, z)."""
        left, top = self._point(x - rx, z + rz)
        right, bottom = self._point(x + rx, z - rz)
        self._draw.ellipse((left, top, right, bottom), fill=(*colour, glow))

    def glyph(
        self, kind: int, x: float, z: float, radius: float, colour: Colour, glow: int
    ) -> None:
        """Draws one of `NUM_GLYPHS` big sign shapes around (x, z)."""
        r = radius
        if kind == 0:
            self.ellipse(x, z, r, r, colour, glow)
        elif kind == 1:
            self.rectangle(x - r, z - r, x + r, z + r, colour, glow)
        elif kind == 10:
            self.rectangle(x - 0.35 * r, z - r, x + 0.35 * r, z + r, colour, glow)
        elif kind == 11:
            for step in (-0.8, 0.0, 0.8):
                self.ellipse(x + step * r, z, 0.35 * r, 0.35 * r, colour, glow)
        else:
            points = [(x + dx * r, z + dz * r) for dx, dz in _GLYPH_POLYGONS[kind]]
            self.polygon(points, colour, glow)

    def as_columns(self) -> np.ndarray:
        """Returns (width, height, 4) uint8 with the ground first in each column."""
        return np.asarray(self.image)[::-1].transpose(1, 0, 2).copy()


def _star(points: int, inner: float) -> list[tuple[float, float]]:
    angles = np.arange(2 * points) * np.pi / points + np.pi / 2
    radii = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)
    return [
        (float(r * np.cos(a)), float(r * np.sin(a)))
        for r, a in zip(radii, angles, strict=True)
    ]


_GLYPH_POLYGONS: dict[int, list[tuple[float, float]]] = {
    2: [(-1, -1), (1, -1), (0, 1)],
    3: [(-1, 1), (1, 1), (0, -1)],
    4: [(0, -1), (1, 0), (0, 1), (-1, 0)],
    5: _star(5, 0.42),
    6: [
        *[(-0.35, 1), (0.35, 1), (0.35, 0.35), (1, 0.35), (1, -0.35), (0.35, -0.35)],
        *[(0.35, -1), (-0.35, -1), (-0.35, -0.35), (-1, -0.35), (-1, 0.35)],
        (-0.35, 0.35),
    ],
    7: [(-1, 1), (-0.4, 1), (-0.4, -0.4), (1, -0.4), (1, -1), (-1, -1)],
    8: [
        *[(-1, 1), (1, 1), (1, 0.4), (0.3, 0.4)],
        *[(0.3, -1), (-0.3, -1), (-0.3, 0.4), (-1, 0.4)],
    ],
    9: [(-1, 0), (0, 1), (0, 0.4), (1, 0.4), (1, -0.4), (0, -0.4), (0, -1)],
}
