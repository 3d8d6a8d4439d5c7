"""Places trees, lamps, parked and driving cars and people around a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.city import Street
from data_prep.synthesize.conditions import Conditions, Rgb
from data_prep.synthesize.people_and_cars import CarSprites, Sprite, SpriteSet
from data_prep.synthesize.scene import Scene

_TREES_WITHIN_M = 55.0
_LAMPS_WITHIN_M = 35.0
_TRAFFIC_WITHIN_M = 42.0
_NEAREST_M = 2.2


@dataclass(frozen=True)
class StandingPicture:
    """A sprite on a vertical rectangle.

    Attributes:
        left: (2,) its left end for the camera.
        right: (2,) its right end.
        height_m: Its height; it stands on the ground.
        sprite: What is drawn on it.
        tint: Multiplies its colour.
    """

    left: np.ndarray
    right: np.ndarray
    height_m: float
    sprite: Sprite
    tint: Rgb


def standing_pictures(
    scene: Scene,
    streets: list[Street],
    sprites: SpriteSet,
    camera: np.ndarray,
    conditions: Conditions,
) -> list[StandingPicture]:
    """Returns what stands around a camera, farthest first.

    Args:
        scene: District with trees and lamps.
        streets: Streets whose traffic is drawn.
        sprites: Pictures of all kinds of things.
        camera: (2,) position.
        conditions: Decide season and traffic; its seed decides where cars stand.
    """
    pictures = _plants_and_lamps(scene, sprites, camera, conditions)
    for index, street in enumerate(streets):
        if _distance_to(street, camera) < _TRAFFIC_WITHIN_M:
            rng = np.random.default_rng((conditions.seed, 41, index))
            pictures += _traffic(street, sprites, camera, conditions, rng)
    middles = np.array([(p.left + p.right) / 2 for p in pictures]).reshape(-1, 2)
    order = np.argsort(-np.hypot(*(middles - camera).T), kind="stable")
    return [pictures[k] for k in order]


def _distance_to(street: Street, point: np.ndarray) -> float:
    along = float(
        np.clip((point - street.start) @ street.direction, 0, street.length_m)
    )
    return float(np.hypot(*(street.start + street.direction * along - point)))


def _facing(
    point: np.ndarray,
    camera: np.ndarray,
    width_m: float,
    height_m: float,
    sprite: Sprite,
    tint: Rgb = (1.0, 1.0, 1.0),
) -> StandingPicture:
    """A picture that turns towards the camera."""
    view = point - camera
    view = view / np.hypot(*view)
    right = np.array([view[1], -view[0]]) * width_m / 2
    return StandingPicture(point - right, point + right, height_m, sprite, tint)


def _plants_and_lamps(
    scene: Scene, sprites: SpriteSet, camera: np.ndarray, conditions: Conditions
) -> list[StandingPicture]:
    pictures = []
    kinds = sprites.trees if conditions.has_leaves else sprites.bare_trees
    tint = conditions.leaf_tint if conditions.has_leaves else (1.0, 1.0, 1.0)
    for x, y, height_m, kind in _within(scene.trees, camera, _TREES_WITHIN_M):
        sprite, point = kinds[int(kind)], np.array([x, y])
        width_m = height_m * sprite.width_m / sprite.height_m
        pictures.append(_facing(point, camera, width_m, height_m, sprite, tint))
    lamp = sprites.lamp
    for x, y in _within(scene.lamps, camera, _LAMPS_WITHIN_M):
        point = np.array([x, y])
        pictures.append(_facing(point, camera, lamp.width_m, lamp.height_m, lamp))
    return pictures


def _within(rows: np.ndarray, camera: np.ndarray, radius_m: float) -> np.ndarray:
    distance = np.hypot(rows[:, 0] - camera[0], rows[:, 1] - camera[1])
    return rows[(distance < radius_m) & (distance > 1.5)]


def _traffic(
    street: Street,
    sprites: SpriteSet,
    camera: np.ndarray,
    conditions: Conditions,
    rng: np.random.Generator,
) -> list[StandingPicture]:
    pictures: list[StandingPicture] = []
    parked = rng.poisson(conditions.cars_per_100m * street.length_m / 100)
    driving = rng.poisson(conditions.cars_per_100m * street.length_m / 600)
    for k in range(parked + driving):
        along = rng.uniform(9.0, max(9.1, street.length_m - 9.0))
        aside = street.half_road_m - 1.1 if k < parked else 1.7
        side = rng.choice([-1.0, 1.0])
        centre = street.start + street.direction * along + street.right * aside * side
        car = sprites.cars[rng.integers(len(sprites.cars))]
        if _near(centre, camera, 3.8):
            pictures += _car(car, centre, street.direction * side, camera)
    people = rng.poisson(conditions.people_per_100m * street.length_m / 100)
    for _ in range(people):
        along = rng.uniform(0.0, street.length_m)
        aside = rng.uniform(street.half_road_m + 0.3, street.half_width_m - 0.3)
        side = rng.choice([-1.0, 1.0])
        point = street.start + street.direction * along + street.right * aside * side
        person = sprites.people[rng.integers(len(sprites.people))]
        if _near(point, camera, _NEAREST_M):
            pictures.append(
                _facing(point, camera, person.width_m, person.height_m, person)
            )
    return pictures


def _near(point: np.ndarray, camera: np.ndarray, nearest_m: float) -> bool:
    distance = float(np.hypot(*(point - camera)))
    return nearest_m < distance < _TRAFFIC_WITHIN_M


def _car(
    car: CarSprites, centre: np.ndarray, direction: np.ndarray, camera: np.ndarray
) -> list[StandingPicture]:
    """Returns the two sides of a car that the camera sees."""
    right = np.array([direction[1], -direction[0]])
    half_length, half_width = car.side.width_m / 2, car.end.width_m / 2
    to_camera = camera - centre
    faces = []
    for outwards, along, half_out, half_along, sprite, light in (
        (right, direction, half_width, half_length, car.side, 1.0),
        (direction, -right, half_length, half_width, car.end, 0.85),
    ):
        sign = 1.0 if to_camera @ outwards > 0 else -1.0
        middle = centre + outwards * half_out * sign
        if (camera - middle) @ outwards * sign <= 0:
            continue
        reach = along * half_along * sign
        faces.append(
            StandingPicture(
                middle - reach, middle + reach, sprite.height_m, sprite, (light,) * 3
            )
        )
    return faces
