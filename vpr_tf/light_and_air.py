"""Light and air of streets: the rules of all that is drawn at dusk or in fog.

The miniature city is drawn by them, and training images are changed by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """What lights a street at one time of the day.

    Attributes:
        sun: Colour and strength, added on walls that face the sun.
        ambient: Colour and strength; both multiply the surface.
        zenith: Colour of the sky above, 0 to 255.
        horizon: Colour of the sky and of the haze at the horizon.
        haze_length_m: Distance after which 63 % of the light is haze.
    """

    sun: tuple[Rgb, float]
    ambient: tuple[Rgb, float]
    zenith: Rgb
    horizon: Rgb
    haze_length_m: float = 400.0

    def at(self, sun_share: float) -> np.ndarray:
        """Returns (3,) multipliers of a surface that sees a share of the sun."""
        ambient, sun = (np.array(c) * s for c, s in (self.ambient, self.sun))
        return even_light(ambient, sun, sun_share)


LIGHTS = {
    "clear": Light(
        *(((1.0, 0.95, 0.85), 0.55), ((1.0, 1.0, 1.05), 0.55)),
        *((70.0, 120.0, 200.0), (180.0, 205.0, 230.0)),
    ),
    "overcast": Light(
        *(((1.0, 1.0, 1.0), 0.05), ((0.92, 0.97, 1.05), 0.78)),
        *((165.0, 170.0, 178.0), (205.0, 208.0, 210.0)),
        haze_length_m=220.0,
    ),
    "dusk": Light(
        *(((1.0, 0.6, 0.4), 0.2), ((0.72, 0.74, 1.0), 0.5)),
        *((38.0, 44.0, 92.0), (225.0, 140.0, 95.0)),
    ),
    "fog": Light(
        *(((1.0, 1.0, 1.0), 0.05), ((1.0, 1.0, 1.0), 0.8)),
        *((200.0, 203.0, 206.0), (205.0, 207.0, 208.0)),
    ),
    "low_sun": Light(
        *(((1.0, 0.78, 0.5), 0.7), ((0.85, 0.9, 1.1), 0.42)),
        *((110.0, 140.0, 190.0), (250.0, 215.0, 160.0)),
    ),
}
# Bright days of street-view cars, at the middle of these strengths.
STREET_VIEW_SUN, STREET_VIEW_AMBIENT = (0.25, 0.5), (0.6, 0.75)
STREET_VIEW_LIGHT = Light(
    ((1.0, 0.97, 0.9), sum(STREET_VIEW_SUN) / 2),
    ((0.97, 0.99, 1.03), sum(STREET_VIEW_AMBIENT) / 2),
    *((96.0, 140.0, 205.0), (190.0, 208.0, 226.0)),
)
STREET_VIEW_FIELD_OF_VIEW_DEG, STREET_VIEW_PITCH_DEG = 75.0, 11.0
STREET_VIEW_HEIGHT_M = 2.4
FOG_LENGTH_M = (35.0, 110.0)
GLOW_AT_DUSK = (0.5, 0.9)  # how bright windows and signs shine
LAMPLIGHT: Rgb = (1.0, 0.85, 0.55)
LAMPLIGHT_LEVEL = 150.0  # of 255, at a glow of 1


def even_light(ambient: Any, sun: Any, sun_share: float) -> np.ndarray:
    """Returns multipliers of a surface that sees a share of the sun."""
    return np.array(ambient) + sun_share * np.array(sun)


def clear_share(
    distance_m: Any, haze_length_m: Any, exp: Callable[[Any], Any] = np.exp
) -> Any:
    """Returns the share of light that haze lets through.

    Args:
        distance_m: Of what is seen.
        haze_length_m: Distance after which 63 % of the light is haze.
        exp: Exponential function of the arrays' library.
    """
    return exp(-distance_m / haze_length_m)
