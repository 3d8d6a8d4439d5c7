"""Standing pictures with transparency: cars, people, trees, lamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from data_prep.synthesize.atlas import halve
from data_prep.synthesize.canvas import Colour, colour_from_hsv, shade
from data_prep.synthesize.city import TREE_KINDS

NUM_CARS = 24
NUM_PEOPLE = 16
_PIXELS_PER_M = 28.0


@dataclass(frozen=True)
class Sprite:
    """A picture of a thing that stands on the ground.

    Attributes:
        levels: (W, H, 4) uint8 pictures of halving size, red, green, blue, opacity;
            colours are multiplied by opacity; ground first in each column.
        width_m: Width of the thing.
        height_m: Height of the thing.
    """

    levels: tuple[np.ndarray, ...]
    width_m: float
    height_m: float


@dataclass(frozen=True)
class CarSprites:
    """The two sides of a car that can be seen at once."""

    side: Sprite
    end: Sprite


@dataclass(frozen=True)
class SpriteSet:
    """Everything that stands in the streets."""

    cars: tuple[CarSprites, ...]
    people: tuple[Sprite, ...]
    trees: tuple[Sprite, ...]
    bare_trees: tuple[Sprite, ...]
    lamp: Sprite


def draw_sprites(seed: int) -> SpriteSet:
    """Draws the set of things of a city."""
    rng = np.random.default_rng((seed, 31))
    return SpriteSet(
        cars=tuple(_draw_car(rng) for _ in range(NUM_CARS)),
        people=tuple(_draw_person(rng) for _ in range(NUM_PEOPLE)),
        trees=tuple(_draw_tree(rng, True) for _ in range(TREE_KINDS)),
        bare_trees=tuple(_draw_tree(rng, False) for _ in range(TREE_KINDS)),
        lamp=_draw_lamp(),
    )


class _Sheet:
    """A transparent drawing in metres, z up."""

    def __init__(self, width_m: float, height_m: float) -> None:
        self.width_m, self.height_m = width_m, height_m
        size = (round(width_m * _PIXELS_PER_M), round(height_m * _PIXELS_PER_M))
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def points(self, *points: tuple[float, float]) -> list[tuple[float, float]]:
        height = self.image.height
        return [(x * _PIXELS_PER_M, height - z * _PIXELS_PER_M) for x, z in points]

    def polygon(
        self, colour: Colour, *points: tuple[float, float], opacity: int = 255
    ) -> None:
        self.draw.polygon(self.points(*points), fill=(*colour, opacity))

    def disc(self, colour: Colour, x: float, z: float, rx: float, rz: float) -> None:
        (x0, z0), (x1, z1) = self.points((x - rx, z + rz), (x + rx, z - rz))
        self.draw.ellipse((x0, z0, x1, z1), fill=(*colour, 255))

    def box(self, colour: Colour, x0: float, z0: float, x1: float, z1: float) -> None:
        self.polygon(colour, (x0, z0), (x1, z0), (x1, z1), (x0, z1))

    def sprite(self) -> Sprite:
        pixels = np.asarray(self.image)[::-1].transpose(1, 0, 2).astype(np.uint16)
        pixels[..., :3] = pixels[..., :3] * pixels[..., 3:] // 255
        levels = [pixels.astype(np.uint8)]
        for _ in range(4):
            levels.append(halve(levels[-1]))
        return Sprite(tuple(levels), self.width_m, self.height_m)


def _draw_car(rng: np.random.Generator) -> CarSprites:
    saturation = rng.choice([0.0, 0.1, 0.8])
    paint = colour_from_hsv(rng.random(), saturation, rng.uniform(0.15, 0.95))
    glass: Colour = (38, 46, 56)
    is_van = rng.random() < 0.25
    length = 4.9 if is_van else rng.uniform(3.8, 4.6)
    height = 2.1 if is_van else rng.uniform(1.4, 1.7)
    side = _Sheet(length, height)
    waist = height * 0.58
    side.polygon(
        paint, (0.05, 0.3), (length - 0.05, 0.3), (length, waist), (0.0, waist)
    )
    front = 0.5 if is_van else length * 0.27
    back = 0.1 if is_van else length * rng.uniform(0.05, 0.25)
    roof = [(front * 0.55, waist), (front + 0.2, height), (length - back - 0.2, height)]
    side.polygon(paint, *roof, (length - back * 0.5, waist))
    pane = [(front * 0.8 + 0.1, waist), (front + 0.3, height - 0.12)]
    side.polygon(
        glass, *pane, (length - back - 0.3, height - 0.12), (length - back - 0.2, waist)
    )
    side.box(paint, length * 0.52, waist, length * 0.55, height)
    for x in (length * 0.2, length * 0.8):
        side.disc((22, 22, 24), x, 0.32, 0.33, 0.33)
        side.disc((120, 120, 124), x, 0.32, 0.17, 0.17)
    end = _Sheet(1.8, height)
    end.box(paint, 0.0, 0.3, 1.8, waist)
    end.polygon(paint, (0.05, waist), (1.75, waist), (1.55, height), (0.25, height))
    end.polygon(
        glass, (0.2, waist), (1.6, waist), (1.45, height - 0.1), (0.35, height - 0.1)
    )
    end.box(shade(paint, 0.6), 0.0, 0.3, 1.8, 0.5)
    lights: Colour = (200, 40, 30) if rng.random() < 0.5 else (240, 235, 200)
    end.box(lights, 0.08, 0.6, 0.4, 0.8)
    end.box(lights, 1.4, 0.6, 1.72, 0.8)
    end.box((20, 20, 22), 0.1, 0.0, 0.4, 0.32)
    end.box((20, 20, 22), 1.4, 0.0, 1.7, 0.32)
    return CarSprites(side.sprite(), end.sprite())


def _draw_person(rng: np.random.Generator) -> Sprite:
    height = rng.uniform(1.55, 1.9)
    sheet = _Sheet(0.8, height)
    trousers = colour_from_hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.1, 0.5))
    coat = colour_from_hsv(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.9))
    skin = colour_from_hsv(0.07, rng.uniform(0.25, 0.6), rng.uniform(0.4, 0.9))
    hip, neck = height * 0.48, height * 0.84
    stride = rng.uniform(0.05, 0.2)
    sheet.polygon(
        trousers, (0.28, hip), (0.5, hip), (0.36 - stride, 0.0), (0.22 - stride, 0.0)
    )
    sheet.polygon(
        trousers, (0.32, hip), (0.54, hip), (0.6 + stride, 0.0), (0.46 + stride, 0.0)
    )
    sheet.polygon(coat, (0.2, hip), (0.6, hip), (0.62, neck), (0.18, neck))
    sheet.disc(skin, 0.4, height * 0.92, 0.11, height * 0.075)
    return sheet.sprite()


def _draw_tree(rng: np.random.Generator, has_leaves: bool) -> Sprite:
    """Draws a tree of 1 x 1 m; each tree gives its own size."""
    sheet = _Sheet(7.0, 10.0)
    bark = colour_from_hsv(0.07, 0.35, rng.uniform(0.2, 0.4))
    sheet.polygon(bark, (3.3, 0), (3.7, 0), (3.6, 6.0), (3.4, 6.0))
    for _ in range(26):
        x, z = rng.uniform(0.6, 6.4), rng.uniform(5.0, 9.4)
        sheet.polygon(bark, (3.4, 3.4), (3.62, 3.4), (x + 0.08, z), (x - 0.08, z))
    if has_leaves:
        hue, narrow = rng.uniform(0.2, 0.34), rng.uniform(0.6, 1.0)
        for _ in range(150):
            angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            x = 3.5 + 2.8 * narrow * radius * np.cos(angle)
            z = 6.6 + 2.8 * radius * np.sin(angle)
            light = 0.28 + 0.3 * (z - 3.8) / 5.6 + rng.uniform(-0.08, 0.08)
            colour = colour_from_hsv(hue + rng.uniform(-0.02, 0.02), 0.6, light)
            size = rng.uniform(0.25, 0.6)
            sheet.disc(colour, x, z, size, size)
    return sheet.sprite()


def _draw_lamp() -> Sprite:
    sheet = _Sheet(0.9, 6.0)
    metal: Colour = (62, 66, 64)
    sheet.box(metal, 0.38, 0.0, 0.52, 5.6)
    sheet.box(metal, 0.1, 5.5, 0.8, 5.65)
    sheet.disc((225, 215, 180), 0.16, 5.4, 0.16, 0.18)
    return sheet.sprite()
