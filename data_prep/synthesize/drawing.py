"""Draws the photographs of a shot; districts are built once per process."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from data_prep.synthesize.camera import (
    Developer,
    crop,
    panorama_strip,
    panorama_width,
    strip_for,
)
from data_prep.synthesize.city import Street
from data_prep.synthesize.dataset import Shot, district_plan
from data_prep.synthesize.people_and_cars import SpriteSet, draw_sprites
from data_prep.synthesize.presets import SynthesisConfig
from data_prep.synthesize.renderer import draw_panorama
from data_prep.synthesize.scene import Scene, build_scene
from data_prep.synthesize.street_props import standing_pictures

_TEXELS_PER_M_AT_128 = 10.0


@functools.lru_cache(maxsize=1)
def _district(config: SynthesisConfig, district: str) -> tuple[Scene, list[Street]]:
    plan = district_plan(config, district)
    rng = np.random.default_rng((config.seed, len(district), ord(district[0]), 24))
    scale = max(0.75, config.preset.image_size / 128)
    return build_scene(plan, rng, _TEXELS_PER_M_AT_128 * scale), plan.streets


@functools.lru_cache(maxsize=1)
def _sprites(seed: int) -> SpriteSet:
    return draw_sprites(seed)


def draw_shot(config: SynthesisConfig, shot: Shot) -> list[bytes]:
    """Draws one shot.

    Args:
        config: The city.
        shot: One of `plan_shots(config, split)`.

    Returns:
        One JPEG file for each of the shot's names.
    """
    size = config.preset.image_size
    district = config.preset.district_of(shot.split)
    scene, streets = _district(config, district)
    camera = np.array(shot.camera)
    width = size
    if shot.is_panorama:
        width, (heading,) = panorama_width(size), shot.headings_deg
        strip, positions = panorama_strip(shot.lens.pitch_deg, size, heading)
    else:
        strip, positions = strip_for(shot.lens, size, list(shot.headings_deg))
    pictures = standing_pictures(
        scene, streets, _sprites(config.seed), camera[:2], shot.conditions
    )
    panorama = draw_panorama(scene, camera, strip, shot.conditions, pictures)
    finish = shot.finish
    if shot.is_panorama:  # stitched of many photos
        finish = dataclasses.replace(finish, vignette=0.0)
    developer = Developer(finish, size, width)
    rng = np.random.default_rng(shot.noise_seed)
    count = len(shot.headings_deg)
    if count > 1:  # crops reach over the seam
        panorama = np.concatenate([panorama, panorama])
    flat = panorama.reshape(-1)
    per_heading = strip.columns // count * strip.rows
    return [
        developer.develop(crop(flat, positions + per_heading * k, size), rng)
        for k in range(count)
    ]
