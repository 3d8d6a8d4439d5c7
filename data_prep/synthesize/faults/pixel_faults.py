"""Faults of optics and light, drawn into the pixels of a photo.

Each takes an image `(height, width, 3)`, float32, 0 to 255, and a random generator, and
returns the image with the fault. Sizes are shares of the width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PixelFault = Callable[[np.ndarray, np.random.Generator], np.ndarray]
_GAMMA = 2.2


def motion_blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smears along a line: the camera or its car moved while the shutter was open."""
    width = image.shape[1]
    length = max(4, round(rng.uniform(0.04, 0.1) * width))
    turn = rng.uniform(-0.5, 0.5)  # radians; a car shakes and turns sideways
    steps = np.arange(length) - length // 2
    across = np.rint(steps * np.cos(turn)).astype(int)
    down = np.rint(steps * np.sin(turn)).astype(int)
    padded = np.pad(image, ((length, length), (length, length), (0, 0)), "edge")
    smeared = np.zeros_like(image)
    for x, y in zip(across, down, strict=True):
        top, left = length + y, length + x
        smeared += padded[top : top + image.shape[0], left : left + width]
    return smeared / length


def focus_blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smooths in all directions: the lens was focused on something near."""
    return _smooth(image, rng.uniform(0.01, 0.03) * image.shape[1])


def under_exposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leaves a few grey levels in noise; darker than any night with street lamps."""
    dark = _exposed(image, np.exp(rng.uniform(np.log(0.0008), np.log(0.004))))
    return dark + rng.normal(0.0, 1.0, image.shape).astype(np.float32)


def over_exposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leaves nearly all of it white, whatever the brightness of the photo was."""
    linear = (image.mean(axis=2) / 255) ** _GAMMA
    # This share of the pixels is burnt out; a wall in full sun leaves far fewer.
    burnt = np.quantile(linear, 1 - rng.uniform(0.75, 0.95))
    return _exposed(image, 1 / max(float(burnt), 1e-4))


def lens_cover(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shows a cap, a finger or a bag before the lens: a colour with some noise."""
    height, width, _ = image.shape
    colour = np.array([(6, 6, 8), (70, 22, 14), (88, 84, 80)][rng.integers(3)])
    slope = rng.uniform(-0.2, 0.2, 2)
    down, across = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    light = 1 + slope[0] * down + slope[1] * across
    noise = rng.normal(0.0, 1.5, (height, width, 1))
    return (light[..., None] * colour + noise).astype(np.float32)


def occluder(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Puts the side of a lorry before the camera: most of the picture is one wall."""
    height, width, _ = image.shape
    covered = rng.uniform(0.7, 0.95)
    left = rng.uniform(0, 1 - covered)
    top, bottom = rng.uniform(-0.05, 0.12), rng.uniform(0.9, 1.05)
    # In the light of the photo, at night as by day.
    light_level = max(25.0, float(image.mean()) * rng.uniform(0.7, 1.8))
    colour = np.clip(light_level * rng.uniform(0.8, 1.2, 3), 0, 235)
    lorry = Image.fromarray(as_bytes(image))
    draw = ImageDraw.Draw(lorry)
    x0, x1 = left * width, (left + covered) * width
    y0, y1 = top * height, bottom * height
    draw.rectangle((x0, y0, x1, y1), fill=tuple(colour.astype(int).tolist()))
    shade = tuple((colour * 0.8).astype(int).tolist())
    seam = max(1, round(width / 200))
    for x in np.linspace(x0, x1, int(rng.integers(3, 6))):  # the panels of the wall
        draw.line((x, y0, x, y1), fill=shade, width=seam)
    draw.rectangle((x0, y1 - 0.06 * height, x1, y1), fill=(34, 34, 36))
    light = np.linspace(1.05, 0.9, height, dtype=np.float32)[:, None, None]
    out = _smooth(np.asarray(lorry, np.float32), 0.003 * width)
    inside = np.zeros((height, width, 1), bool)
    inside[max(0, round(y0)) : round(y1), max(0, round(x0)) : round(x1)] = True
    noise = rng.normal(0.0, 2.0, out.shape).astype(np.float32)
    return np.where(inside, out * light + noise, image)


def dirt_of(rng: np.random.Generator) -> PixelFault:
    """Returns drops and smears on a lens: the same place in every photo of a drive."""
    blobs = rng.uniform(
        (0.15, 0.15, 0.05, 0.6), (0.85, 0.85, 0.11, 0.95), (rng.integers(1, 4), 4)
    )
    colour = np.array([58, 50, 42], np.float32) * rng.uniform(0.7, 1.3)

    def draw(image: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
        cover = _blobs(image.shape, blobs)
        seen_through = _smooth(image, 0.02 * image.shape[1])
        return image * (1 - cover) + (0.2 * seen_through + 0.8 * colour) * cover

    return draw


def flare_of(rng: np.random.Generator) -> PixelFault:
    """Returns bright ghosts of a lamp in a lens: the same place in a whole drive."""
    towards, angle = rng.uniform(0.15, 0.3), rng.uniform(0, 2 * np.pi)
    steps = np.array([1.0, 0.2, -0.8])
    blobs = np.empty((3, 4))
    blobs[:, 0] = 0.5 + steps * towards * np.sin(angle)
    blobs[:, 1] = 0.5 + steps * towards * np.cos(angle)
    blobs[:, 2] = rng.uniform(0.05, 0.1, 3)
    blobs[:, 3] = rng.uniform(0.6, 0.9, 3)
    colour = np.array([235, 225, 190], np.float32)

    def draw(image: np.ndarray, each: np.random.Generator) -> np.ndarray:
        strength = each.uniform(0.8, 1.0)
        return image + strength * _blobs(image.shape, blobs) * (colour - image * 0.5)

    return draw


def indoor(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a room: walls, floor, ceiling, door, pictures; nothing of the street."""
    height, width, _ = image.shape
    room = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(room)
    u0, v0 = rng.uniform(0.2, 0.35), rng.uniform(0.2, 0.3)
    u1, v1 = rng.uniform(0.65, 0.8), rng.uniform(0.6, 0.7)
    wall = rng.integers(150, 225, 3)

    def area(colour: np.ndarray, *points: tuple[float, float]) -> None:
        fill = tuple(np.clip(colour, 0, 255).astype(int).tolist())
        draw.polygon([(x * width, y * height) for x, y in points], fill=fill)

    area(wall * 0.85, (0, 0), (u0, v0), (u0, v1), (0, 1))
    area(wall * 0.75, (1, 0), (u1, v0), (u1, v1), (1, 1))
    area(wall, (u0, v0), (u1, v0), (u1, v1), (u0, v1))
    area(np.full(3, 238), (0, 0), (1, 0), (u1, v0), (u0, v0))
    area(rng.integers(60, 150, 3), (0, 1), (1, 1), (u1, v1), (u0, v1))
    for _ in range(int(rng.integers(3, 7))):  # pictures, shelves, a screen
        x, y = rng.uniform(u0, u1 - 0.08), rng.uniform(v0, v1 - 0.12)
        x1, y1 = x + rng.uniform(0.05, 0.15), y + rng.uniform(0.05, 0.15)
        frame = ((x, y), (x1, y), (x1, y1), (x, y1))
        area(rng.integers(20, 235, 3), *frame)
    door = rng.uniform(0.03, 0.12)
    area(rng.integers(60, 130, 3), (door, 0.2), (door + 0.1, 0.3), (door + 0.1, 0.95))
    noise = rng.normal(0.0, 3.0, image.shape)
    return (np.asarray(room) + noise).astype(np.float32)


def _exposed(image: np.ndarray, gain: float) -> np.ndarray:
    linear = (np.clip(image, 0, 255) / 255) ** _GAMMA * gain
    return (np.clip(linear, 0, 1) ** (1 / _GAMMA) * 255).astype(np.float32)


def _smooth(image: np.ndarray, radius_px: float) -> np.ndarray:
    smoothed = Image.fromarray(as_bytes(image)).filter(
        ImageFilter.GaussianBlur(radius_px)
    )
    return np.asarray(smoothed, np.float32)


def _blobs(shape: tuple[int, ...], blobs: np.ndarray) -> np.ndarray:
    """Returns opacity `(height, width, 1)` of soft discs.

    Args:
        shape: Of the image.
        blobs: Row, column, radius (shares of the width) and opacity of each.
    """
    height, width, _ = shape
    down, across = np.mgrid[:height, :width] / width
    clear = np.ones((height, width))
    for row, column, radius, opacity in blobs:
        away = np.hypot(down - row * height / width, across - column)
        clear *= 1 - opacity / (1 + np.exp((away - radius) / (0.15 * radius)))
    return (1 - clear)[..., None].astype(np.float32)


def as_bytes(image: np.ndarray) -> np.ndarray:
    """Returns an image as uint8."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
