"""Drives through a district: where a camera behind a windscreen takes photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_prep.synthesize.city import Street, StreetPlan
from data_prep.synthesize.presets import DriveShape

_LANE = 0.35  # of half the road, to the right of its middle


@dataclass(frozen=True)
class Stand:
    """Where a car is when it takes a photo.

    Attributes:
        point: Metres, local to the district.
        heading_deg: Where the car goes.
    """

    point: np.ndarray
    heading_deg: float


def drive_along(
    plan: StreetPlan, shape: DriveShape, rng: np.random.Generator
) -> list[Stand]:
    """Drives through streets, to the right, and never back where it came from.

    The speed changes from street to street; at some crossings the car waits.

    Args:
        plan: The streets.
        shape: How far, how fast.
        rng: Source of every choice.

    Returns:
        Where each of `shape.num_photos` photos is taken.
    """
    stands: list[Stand] = []
    ahead_m = 0.0
    for street in _streets(plan, rng):
        along = street.direction
        lane = street.right * street.half_road_m * _LANE
        heading_deg = float(np.rad2deg(np.arctan2(*along)) % 360)
        step_m = rng.uniform(*shape.speed_m_per_s) * shape.seconds_between
        while ahead_m < street.length_m:
            stands.append(Stand(street.start + along * ahead_m + lane, heading_deg))
            ahead_m += step_m
        ahead_m -= street.length_m
        if stands and rng.random() < shape.waits_at_crossings:
            stands += [stands[-1]] * int(rng.integers(1, shape.longest_wait + 1))
        if len(stands) >= shape.num_photos:
            break
    return stands[: shape.num_photos]


def _streets(plan: StreetPlan, rng: np.random.Generator) -> Iterator[Street]:
    """Yields streets, each from where the one before ends, without end."""
    back = (replace(one, start=one.end, end=one.start) for one in plan.streets)
    both = [*plan.streets, *back]
    street = both[int(rng.integers(len(both)))]
    while True:
        yield street
        ways = [
            one
            for one in both
            if np.array_equal(one.start, street.end)
            and not np.array_equal(one.end, street.start)
        ]
        street = ways[int(rng.integers(len(ways)))]
