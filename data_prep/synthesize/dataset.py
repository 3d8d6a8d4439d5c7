"""Which photographs of the city are taken, from where, and what they are called."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_prep.synthesize.city import (
    Street,
    StreetPlan,
    plan_streets,
    share_styles,
)
from data_prep.synthesize.conditions import (
    Conditions,
    Finish,
    Lens,
    phone_conditions,
    phone_finish,
    phone_lens,
    street_view_conditions,
    street_view_finish,
    street_view_lens,
)
from data_prep.synthesize.drives import Stand, drive_along
from data_prep.synthesize.naming import image_name, panorama_id
from data_prep.synthesize.presets import DistrictPreset, DriveShape, SynthesisConfig
from vpr_tf.light_and_air import STREET_VIEW_HEIGHT_M

# South-west corners of the districts: 3 km apart, so no two of them share a place.
DISTRICT_ORIGINS = {
    "train": (395_000.0, 4_990_000.0),
    "val": (398_000.0, 4_990_000.0),
    "test": (401_000.0, 4_990_000.0),
}
_SPLIT_STREAMS = {"train": 1, "val": 2, "test": 3}


@dataclass(frozen=True)
class Shot:
    """One panorama or one photograph: camera, conditions and file names.

    Attributes:
        split: train, val or test.
        camera: x, y and height in metres, local to the district.
        headings_deg: Azimuths of the crops' centres; of a whole panorama that of its
            middle column.
        conditions: Light, air, season, traffic.
        lens: Lens of all crops.
        finish: Finish of all crops.
        noise_seed: Seed of the sensor noise.
        names: One path a crop, relative to the output folder.
        is_panorama: Whether the panorama is kept whole.
    """

    split: str
    camera: tuple[float, float, float]
    headings_deg: tuple[float, ...]
    conditions: Conditions
    lens: Lens
    finish: Finish
    noise_seed: int
    names: tuple[str, ...]
    is_panorama: bool = False


def district_plan(config: SynthesisConfig, split: str) -> StreetPlan:
    """Returns the street plan of the district that a split photographs."""
    preset = config.preset
    stream = _SPLIT_STREAMS[preset.district_of(split)]
    rng = np.random.default_rng((config.seed, stream, 21))
    plan = plan_streets(rng, preset.districts()[split].blocks)
    num_styles = preset.house_styles()
    if num_styles is not None:
        plan.lots = share_styles(plan.lots, rng, num_styles)
    return plan


def plan_shots(config: SynthesisConfig, split: str) -> list[Shot]:
    """Lists all photographs of one split, database first."""
    district = config.preset.districts()[split]
    plan = district_plan(config, split)
    stops = _stops(plan, district)
    shots = []
    for number, stop in enumerate(stops):
        if split != "train" and not config.preset.is_mapped(stop.street.line_id):
            continue
        for visit in range(district.visits):
            stream = [config.seed, _SPLIT_STREAMS[split], 22, number, visit]
            shots.append(_panorama(config, split, stop, visit, stream))
    for number in range(district.num_queries):
        stream = [config.seed, _SPLIT_STREAMS[split], 23, number]
        rng = np.random.default_rng(stream)
        shape = config.preset.drive_shape()
        if shape is not None:
            shots += _drive(
                config, split, shape, stream, drive_along(plan, shape, rng), rng
            )
            continue
        stop = stops[int(rng.integers(len(stops)))]
        shots.append(_query(config, split, stop, stream, rng))
    return shots


@dataclass(frozen=True)
class _Stop:
    """A place on the centre line of a street."""

    street: Street
    along_m: float
    spacing_m: float

    def point(self, along_m: float, aside_m: float) -> np.ndarray:
        """Moves along the street and to its right."""
        street = self.street
        along = np.clip(self.along_m + along_m, 0.0, street.length_m)
        return street.start + street.direction * along + street.right * aside_m


def _stops(plan: StreetPlan, district: DistrictPreset) -> list[_Stop]:
    stops = []
    for street in plan.streets:
        count = max(1, round(street.length_m / district.position_spacing_m))
        spacing = street.length_m / count
        stops += [_Stop(street, (k + 0.5) * spacing, spacing) for k in range(count)]
    return stops


def _panorama(
    config: SynthesisConfig,
    split: str,
    stop: _Stop,
    visit: int,
    stream: list[int],
) -> Shot:
    """One panorama; train visits after the first may look like a phone's."""
    preset, rng = config.preset, np.random.default_rng(stream)
    jitter = preset.jitter_m(stop.spacing_m)
    drift = preset.lane_drift_m(stop.street.half_road_m)
    lane = rng.choice([-1.0, 1.0]) * stop.street.half_road_m * 0.35
    is_phone_like = split == "train" and _is_phone_like(preset.phone_like_visits, rng)
    if is_phone_like:
        strength = preset.phone_strength
        aside = rng.uniform(-0.85, 0.85) * stop.street.half_width_m
        height = rng.uniform(1.5, 2.2)
        conditions, lens = phone_conditions(rng, strength), phone_lens(rng, strength)
        finish = phone_finish(rng, preset.jpeg_quality, strength)
    else:
        aside, height = lane + rng.uniform(-drift, drift), STREET_VIEW_HEIGHT_M
        conditions, lens = street_view_conditions(rng), street_view_lens(rng)
        finish = street_view_finish(rng, preset.jpeg_quality)
    point = stop.point(float(rng.uniform(-jitter, jitter)), float(aside))
    first = int(rng.integers(preset.first_headings()))
    step = 360 / preset.headings_per_position
    headings = tuple(first + step * k for k in range(preset.headings_per_position))
    is_panorama = config.panoramas and split == "train"
    if is_panorama:
        headings = headings[:1]
    folder = "train" if split == "train" else f"{split}/database"
    timestamp = f"{2010 + visit + int(rng.integers(4)) * 3}{conditions.month:02d}"
    east, north = _utm(config, split, point)
    pano_id = panorama_id(*stream)
    names = tuple(
        f"{folder}/{image_name(east, north, heading, pano_id, tile, timestamp)}"
        for tile, heading in zip(
            [None] if is_panorama else range(len(headings)), headings, strict=True
        )
    )
    return Shot(
        split=split,
        camera=(float(point[0]), float(point[1]), height),
        headings_deg=headings,
        conditions=conditions,
        lens=lens,
        finish=finish,
        noise_seed=int(rng.integers(2**31)),
        names=names,
        is_panorama=is_panorama,
    )


def _is_phone_like(share: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < share)


def _query(
    config: SynthesisConfig,
    split: str,
    stop: _Stop,
    stream: list[int],
    rng: np.random.Generator,
) -> Shot:
    """A phone photograph from a pavement, away from the wall behind."""
    preset, strength = config.preset, config.preset.phone_strength
    street = stop.street
    # People photograph houses more than roads: within 60 degrees of a facade.
    side = float(rng.choice([-1.0, 1.0]))
    facing = np.rad2deg(np.arctan2(*(-side * street.right)))
    heading = float(np.floor(facing + rng.uniform(-60.0, 60.0)) % 360)
    pavement = street.half_road_m + rng.uniform(-0.5, 1.5)
    aside = side * pavement * min(1.0, 0.3 + 0.7 * strength)
    along = rng.uniform(-stop.spacing_m / 2, stop.spacing_m / 2)
    point = stop.point(float(along), aside)
    conditions = phone_conditions(rng, strength, preset.query_light())
    day, hour = int(rng.integers(1, 29)), int(rng.integers(7, 21))
    minute, year = int(rng.integers(60)), int(rng.integers(2019, 2025))
    timestamp = f"{year}{conditions.month:02d}{day:02d}_{hour:02d}{minute:02d}"
    east, north = _utm(config, split, point)
    name = image_name(east, north, heading, panorama_id(*stream), None, timestamp)
    return Shot(
        split=split,
        camera=(float(point[0]), float(point[1]), float(rng.uniform(1.4, 1.8))),
        headings_deg=(heading,),
        conditions=conditions,
        lens=phone_lens(rng, strength),
        finish=phone_finish(rng, preset.jpeg_quality, strength),
        noise_seed=int(rng.integers(2**31)),
        names=(f"{split}/queries/{name}",),
    )


def _drive(
    config: SynthesisConfig,
    split: str,
    shape: DriveShape,
    stream: list[int],
    stands: list[Stand],
    rng: np.random.Generator,
) -> Iterator[Shot]:
    """Photographs of one camera in one light, a folder of their own."""
    preset, strength = config.preset, config.preset.phone_strength
    conditions = phone_conditions(rng, strength, preset.query_light())
    lens = phone_lens(rng, strength)
    finish = phone_finish(rng, preset.jpeg_quality, strength)
    day, hour = int(rng.integers(1, 29)), int(rng.integers(7, 20))
    minute, year = int(rng.integers(60)), int(rng.integers(2019, 2025))
    time = datetime.datetime(year, conditions.month, day, hour, minute)
    height, right_deg = rng.uniform(1.2, 1.5), rng.uniform(*shape.looks_right_deg)
    for number, stand in enumerate(stands):
        turn_deg = right_deg + rng.uniform(-4.0, 4.0)
        heading = float(np.floor(stand.heading_deg + turn_deg) % 360)
        east, north = _utm(config, split, stand.point)
        pano_id, timestamp = panorama_id(*stream, number), f"{time:%Y%m%d_%H%M%S}"
        name = image_name(east, north, heading, pano_id, None, timestamp)
        yield Shot(
            split=split,
            camera=(float(stand.point[0]), float(stand.point[1]), float(height)),
            headings_deg=(heading,),
            # Cars and people are others in each photo, light and season are not.
            conditions=replace(conditions, seed=int(rng.integers(2**31))),
            lens=lens,
            finish=finish,
            noise_seed=int(rng.integers(2**31)),
            names=(f"{split}/queries/drive_{stream[-1]:02d}/{name}",),
        )
        time += datetime.timedelta(seconds=shape.seconds_between)


def _utm(config: SynthesisConfig, split: str, point: np.ndarray) -> tuple[float, float]:
    east, north = DISTRICT_ORIGINS[config.preset.district_of(split)]
    return east + float(point[0]), north + float(point[1])
