"""What a facade is made of, drawn at random per building."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.canvas import Colour, colour_from_hsv, shade

WALL_PATTERNS = ("plain", "bricks", "bands", "panels", "stripes", "two_tone", "frame")
WINDOW_TYPES = (
    "tall",
    "square",
    "arched",
    "ribbon",
    "shutters",
    "bay",
    "round",
    "slot",
)
ROOF_TYPES = ("flat", "gable", "mansard", "stepped", "dome", "towers", "saw", "crenels")
GROUND_FLOORS = ("shop", "shop", "shops", "door", "arcade", "garage")


@dataclass(frozen=True)
class FacadeStyle:
    """Choices that stay the same over one facade."""

    wall: Colour
    second: Colour
    trim: Colour
    glass: Colour
    accent: Colour
    pattern: str
    window: str
    roof: str
    ground_floor: str
    columns: int
    rhythm: int  # 0 even, 1 pairs, 2 wide in the middle, 3 gap in the middle
    window_width: float  # share of the column
    window_height: float  # share of the floor
    floor_height_m: float
    ground_height_m: float
    has_balconies: bool
    has_mural: bool
    has_cornice: bool


def _wall_colour(rng: np.random.Generator) -> Colour:
    kind = rng.choice(5, p=[0.25, 0.2, 0.3, 0.15, 0.1])
    if kind == 0:  # brick
        return colour_from_hsv(
            rng.uniform(0.98, 1.06), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.7)
        )
    if kind == 1:  # stone
        return colour_from_hsv(
            rng.uniform(0.08, 0.14), rng.uniform(0.1, 0.35), rng.uniform(0.55, 0.85)
        )
    if kind == 2:  # painted plaster
        return colour_from_hsv(
            rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.6, 0.9)
        )
    if kind == 3:  # concrete
        return colour_from_hsv(0.6, rng.uniform(0.0, 0.08), rng.uniform(0.35, 0.8))
    return colour_from_hsv(rng.random(), rng.uniform(0.5, 0.75), rng.uniform(0.4, 0.7))


def draw_style(rng: np.random.Generator, width_m: float) -> FacadeStyle:
    """Draws the style of a facade of the given width."""
    wall = _wall_colour(rng)
    trim = shade(wall, rng.choice([0.5, 0.65, 1.35, 1.6]))
    if rng.random() < 0.35:
        trim = colour_from_hsv(rng.random(), 0.1, rng.choice([0.2, 0.95]))
    return FacadeStyle(
        wall=wall,
        second=_wall_colour(rng),
        trim=trim,
        glass=colour_from_hsv(
            rng.uniform(0.5, 0.65), rng.uniform(0.1, 0.4), rng.uniform(0.15, 0.4)
        ),
        accent=colour_from_hsv(
            rng.random(), rng.uniform(0.6, 0.95), rng.uniform(0.5, 0.9)
        ),
        pattern=str(rng.choice(WALL_PATTERNS)),
        window=str(rng.choice(WINDOW_TYPES)),
        roof=str(rng.choice(ROOF_TYPES)),
        ground_floor=str(rng.choice(GROUND_FLOORS)),
        columns=max(1, round(width_m / rng.uniform(2.0, 5.0))),
        rhythm=int(rng.integers(4)),
        window_width=rng.uniform(0.35, 0.75),
        window_height=rng.uniform(0.4, 0.75),
        floor_height_m=rng.uniform(2.7, 3.7),
        ground_height_m=rng.uniform(3.2, 4.6),
        has_balconies=bool(rng.random() < 0.25),
        has_mural=bool(rng.random() < 0.35),
        has_cornice=bool(rng.random() < 0.5),
    )
