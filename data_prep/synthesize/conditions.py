"""What changes between two visits of one place: light, air, season, lens, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.light_and_air import (
    FOG_LENGTH_M,
    GLOW_AT_DUSK,
    LIGHTS,
    STREET_VIEW_AMBIENT,
    STREET_VIEW_FIELD_OF_VIEW_DEG,
    STREET_VIEW_LIGHT,
    STREET_VIEW_PITCH_DEG,
    STREET_VIEW_SUN,
    Rgb,
)


@dataclass(frozen=True)
class Conditions:
    """Light, air, season and traffic of one photograph."""

    sun_azimuth_deg: float
    sun: Rgb  # added on walls that face the sun, multiplies the surface
    ambient: Rgb
    zenith: Rgb  # colours of the sky, 0 to 255
    horizon: Rgb
    clouds: float  # 0 clear, 1 strong contrast
    haze_length_m: float  # distance after which 63 % of the light is haze
    glow: float  # how bright windows and signs shine, 0 by day
    leaf_tint: Rgb
    has_leaves: bool
    month: int
    cars_per_100m: float
    people_per_100m: float
    seed: int


@dataclass(frozen=True)
class Lens:
    """Direction-free part of a camera."""

    field_of_view_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True)
class Finish:
    """What the camera makes of the light."""

    gains: Rgb  # exposure and white balance
    gamma: float
    contrast: float
    saturation: float
    noise: float  # standard deviation, of 255
    vignette: float  # loss in the corners, 0 to 1
    blur: bool
    jpeg_quality: int


def _scaled(colour: Rgb, factor: float) -> Rgb:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def street_view_conditions(rng: np.random.Generator) -> Conditions:
    """Bright days with little traffic, as street-view cars drive."""
    return Conditions(
        sun_azimuth_deg=rng.uniform(90.0, 270.0),
        sun=_scaled(STREET_VIEW_LIGHT.sun[0], rng.uniform(*STREET_VIEW_SUN)),
        ambient=_scaled(
            STREET_VIEW_LIGHT.ambient[0], rng.uniform(*STREET_VIEW_AMBIENT)
        ),
        zenith=STREET_VIEW_LIGHT.zenith,
        horizon=STREET_VIEW_LIGHT.horizon,
        clouds=rng.uniform(0.0, 0.5),
        haze_length_m=rng.uniform(500.0, 1200.0),
        glow=0.0,
        leaf_tint=(1.0, 1.0, 1.0),
        has_leaves=True,
        month=int(rng.integers(4, 10)),
        cars_per_100m=rng.uniform(3.0, 9.0),
        people_per_100m=rng.uniform(0.0, 6.0),
        seed=int(rng.integers(2**31)),
    )


def phone_conditions(
    rng: np.random.Generator, strength: float = 1.0, light_name: str | None = None
) -> Conditions:
    """Any hour, weather and season, busy streets.

    Args:
        rng: Source of every choice.
        strength: 0 is near to street view, 1 the full range.
        light_name: One of `LIGHTS`; None draws one.
    """
    drawn = str(rng.choice(list(LIGHTS)))
    kind = light_name or drawn
    light = LIGHTS[kind]
    fog_length_m = rng.uniform(*FOG_LENGTH_M)
    haze_length_m = fog_length_m if kind == "fog" else light.haze_length_m
    month = int(rng.integers(1, 13))
    autumn: Rgb = (1.7, 0.95, 0.5)
    return Conditions(
        sun_azimuth_deg=rng.uniform(70.0, 290.0),
        sun=_scaled(light.sun[0], light.sun[1] * rng.uniform(0.8, 1.2)),
        ambient=_scaled(light.ambient[0], light.ambient[1] * rng.uniform(0.85, 1.15)),
        zenith=light.zenith,
        horizon=light.horizon,
        clouds=rng.uniform(0.0, 1.0),
        haze_length_m=haze_length_m / max(strength, 0.05),
        glow=rng.uniform(*GLOW_AT_DUSK) if kind == "dusk" else 0.0,
        leaf_tint=autumn if month in (10, 11) else (1.0, 1.0, 1.0),
        has_leaves=month not in (12, 1, 2),
        month=month,
        cars_per_100m=rng.uniform(4.0, 13.0) * (0.3 + 0.7 * strength),
        people_per_100m=rng.uniform(2.0, 12.0) * strength,
        seed=int(rng.integers(2**31)),
    )


def street_view_lens(rng: np.random.Generator) -> Lens:
    """A level panorama crop that looks slightly up."""
    return Lens(
        field_of_view_deg=STREET_VIEW_FIELD_OF_VIEW_DEG,
        pitch_deg=STREET_VIEW_PITCH_DEG,
        roll_deg=rng.uniform(-0.5, 0.5),
    )


def phone_lens(rng: np.random.Generator, strength: float = 1.0) -> Lens:
    """A hand-held lens: other field of view, roll and pitch."""
    return Lens(
        field_of_view_deg=72.0 + strength * rng.uniform(-12.0, 10.0),
        pitch_deg=11.0 + strength * rng.uniform(-5.0, 5.0),
        roll_deg=strength * rng.uniform(-9.0, 9.0),
    )


def street_view_finish(rng: np.random.Generator, jpeg_quality: int) -> Finish:
    """An even exposure."""
    exposure = rng.uniform(0.92, 1.08)
    return Finish(
        gains=(exposure, exposure, exposure),
        gamma=1.0,
        contrast=1.0,
        saturation=rng.uniform(0.9, 1.05),
        noise=1.5,
        vignette=0.0,
        blur=False,
        jpeg_quality=jpeg_quality,
    )


def phone_finish(
    rng: np.random.Generator, jpeg_quality: int, strength: float = 1.0
) -> Finish:
    """Exposure, white balance, contrast, noise and blur of a phone."""
    exposure = np.exp(strength * rng.uniform(-0.35, 0.3))
    balance = np.exp(strength * rng.uniform(-0.27, 0.27, 3))
    red, green, blue = exposure * balance
    return Finish(
        gains=(float(red), float(green), float(blue)),
        gamma=float(np.exp(strength * rng.uniform(-0.3, 0.3))),
        contrast=1.0 + strength * rng.uniform(-0.45, 0.15),
        saturation=1.0 + strength * rng.uniform(-0.6, 0.2),
        noise=1.5 + strength * rng.uniform(0.0, 13.0),
        vignette=strength * rng.uniform(0.0, 0.35),
        blur=bool(rng.random() < 0.3 * strength),
        jpeg_quality=int(jpeg_quality - rng.integers(0, 25)),
    )
