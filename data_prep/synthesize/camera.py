"""Perspective crops of a panorama or all of it, and what a camera makes of them."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from data_prep.synthesize.conditions import Finish, Lens
from data_prep.synthesize.strip import Strip

_OVERSAMPLING = 2  # samples along each side of a pixel
_ROWS_PER_PIXEL = 1.6  # rows of the panorama for a pixel in the middle of the crop
_MARGIN = 0.02
PANORAMA_ASPECT = 6.5  # width over height, as SF-XL's of 3,328 x 512 pixels


def directions(lens: Lens, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each sample of a crop looks.

    Args:
        lens: Field of view, pitch and roll.
        image_size: Side of the square crop in pixels.

    Returns:
        Azimuth relative to the middle in radians and tangent of the elevation, each
        (samples, samples) with `_OVERSAMPLING` samples a pixel along each side.
    """
    samples = image_size * _OVERSAMPLING
    half = np.tan(np.deg2rad(lens.field_of_view_deg) / 2)
    steps = ((np.arange(samples) + 0.5) / samples * 2 - 1) * half
    right, up = np.meshgrid(steps, -steps)
    roll, pitch = np.deg2rad(lens.roll_deg), np.deg2rad(lens.pitch_deg)
    x = right * np.cos(roll) - up * np.sin(roll)
    y = right * np.sin(roll) + up * np.cos(roll)
    forward = np.cos(pitch) - y * np.sin(pitch)
    y = y * np.cos(pitch) + np.sin(pitch)
    return np.arctan2(x, forward), y / np.hypot(x, forward)


def strip_for(
    lens: Lens, image_size: int, headings_deg: list[float]
) -> tuple[Strip, np.ndarray]:
    """Plans the panorama that crops at some headings need.

    Args:
        lens: Lens of all crops.
        image_size: Side of the crops in pixels.
        headings_deg: One heading, or several that divide the full turn evenly.

    Returns:
        The strip, and (samples * samples,) positions in the flattened (columns, rows)
        panorama for the first heading.
    """
    azimuth, tangent = directions(lens, image_size)
    focal = image_size / 2 / np.tan(np.deg2rad(lens.field_of_view_deg) / 2)
    top, bottom = tangent.max() + _MARGIN, tangent.min() - _MARGIN
    row_step = 1.0 / (focal * _ROWS_PER_PIXEL)
    rows = int(np.ceil((top - bottom) / row_step))
    count = len(headings_deg)
    per_turn = int(np.ceil(2 * np.pi / row_step / count)) * count
    step = 2 * np.pi / per_turn
    left = azimuth.min() - _MARGIN
    if count == 1:
        columns = int(np.ceil((azimuth.max() + _MARGIN - left) / step))
    else:
        columns = per_turn
    start = np.deg2rad(headings_deg[0]) + left
    strip = Strip(float(start), step, columns, float(top), float(row_step), rows)
    column = ((azimuth - left) / step).astype(np.int32) % columns
    row = np.clip(((top - tangent) / row_step).astype(np.int32), 0, rows - 1)
    return strip, (column * rows + row).ravel()


def panorama_strip(
    pitch_deg: float, height: int, heading_deg: float
) -> tuple[Strip, np.ndarray]:
    """Plans an equirectangular panorama, `PANORAMA_ASPECT` times as wide as high.

    Columns and rows are degrees of the same size: it shows 55 degrees up and down, as
    those of SF-XL.

    Args:
        pitch_deg: Elevation of the middle row.
        height: Pixels.
        heading_deg: Azimuth of the middle column.

    Returns:
        The strip, and the positions of the samples in it, as `strip_for`.
    """
    rows, columns = height * _OVERSAMPLING, panorama_width(height) * _OVERSAMPLING
    step = 2 * np.pi / columns
    elevations = np.deg2rad(pitch_deg) + step * (rows / 2 - 0.5 - np.arange(rows))
    tangents = np.tan(elevations)
    top, row_step = tangents[0] + _MARGIN, step * _OVERSAMPLING / _ROWS_PER_PIXEL
    num_rows = int(np.ceil((top - tangents[-1] + _MARGIN) / row_step))
    start = np.deg2rad(heading_deg) - np.pi
    strip = Strip(float(start), step, columns, float(top), float(row_step), num_rows)
    row = np.clip(((top - tangents) / row_step).astype(np.int32), 0, num_rows - 1)
    return strip, (np.arange(columns) * num_rows + row[:, None]).ravel()


def panorama_width(height: int) -> int:
    """Returns the columns of a panorama."""
    return round(height * PANORAMA_ASPECT)


def crop(panorama: np.ndarray, positions: np.ndarray, height: int) -> np.ndarray:
    """Averages the samples of each pixel.

    Args:
        panorama: Flattened (columns * rows,) uint32 of four bytes.
        positions: (samples,) row after row, from `strip_for`, moved to the heading, or
            from `panorama_strip`.
        height: Of the result in pixels.

    Returns:
        (height, width, 4) uint16, 0 to 1020: sums of four samples.
    """
    side = _OVERSAMPLING
    samples = panorama.take(positions).view(np.uint8)
    samples = samples.reshape(height, side, -1)
    rows = samples[:, 0].astype(np.uint16)
    rows += samples[:, 1]
    rows = rows.reshape(height, -1, side, 4)
    return rows[:, :, 0] + rows[:, :, 1]


class Developer:
    """Turns crops into JPEG files with the finish of one camera."""

    def __init__(self, finish: Finish, height: int, width: int) -> None:
        self._finish = finish
        self._matrix = _colour_matrix(finish)
        self._vignette = _vignette(height, width, finish.vignette)
        levels = 255.0 * (np.arange(256) / 255.0) ** finish.gamma
        self._tone = levels.round().astype(np.uint8)

    def develop(self, sums: np.ndarray, rng: np.random.Generator) -> bytes:
        """Applies exposure, tone, noise and quality.

        Args:
            sums: (H, W, 4) uint16 from `crop`.
            rng: Source of the sensor noise.

        Returns:
            A JPEG file.
        """
        height, width = sums.shape[:2]
        image = sums.reshape(-1, 4).astype(np.float32) @ self._matrix
        image = image.reshape(height, width, 3)
        if self._finish.vignette > 0:
            image *= self._vignette
        if self._finish.blur:
            image = _blurred(image)
        image += _noise(image.shape, rng) * np.float32(self._finish.noise)
        np.clip(image, 0, 255, out=image)
        pixels = self._tone.take(image.astype(np.uint8))
        buffer = io.BytesIO()
        quality = self._finish.jpeg_quality
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def _colour_matrix(finish: Finish) -> np.ndarray:
    """Returns (4, 3): gains, saturation and contrast of `crop`'s sums in one product.

    The fourth channel of the sums is the constant 4 * 255, which carries the offset.
    """
    grey = np.array([[0.299], [0.587], [0.114]])
    saturation = finish.saturation
    matrix = np.diag(finish.gains) @ (np.eye(3) * saturation + grey * (1 - saturation))
    offset = np.full((1, 3), 118.0 * (1 - finish.contrast) / 255.0)
    stacked = np.concatenate([matrix * finish.contrast, offset])
    return (stacked / _OVERSAMPLING**2).astype(np.float32)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Returns normal noise: a random piece of one long sequence, which is fast."""
    size = int(np.prod(shape))
    sequence = _noise_sequence(size + (1 << 16))
    first = int(rng.integers(1 << 16))
    return sequence[first : first + size].reshape(shape)


@functools.lru_cache(maxsize=4)
def _noise_sequence(size: int) -> np.ndarray:
    return np.random.default_rng(61).standard_normal(size, np.float32)


def _vignette(height: int, width: int, loss: float) -> np.ndarray:
    down, right = (
        (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        for size in (height, width)
    )
    squares = (down[:, None] ** 2 + right**2) / 2
    return (1.0 - np.float32(loss) * squares)[..., None].repeat(3, axis=2)


def _blurred(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4
