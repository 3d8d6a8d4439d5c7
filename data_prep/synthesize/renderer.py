"""Draws cylindrical panoramas of a scene by casting one ray for each column.

A column of the panorama is an azimuth, a row is the tangent of the elevation, so a
wall is a run of rows whose texel is linear in the row. All runs of a panorama are
gathered from one texture atlas in a few array operations.
"""

from __future__ import annotations

import numpy as np

from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.ground_painter import paint_ground
from data_prep.synthesize.picture_painter import paint_picture
from data_prep.synthesize.ray_casting import cast_rays
from data_prep.synthesize.scene import Scene
from data_prep.synthesize.sky import draw_sky
from data_prep.synthesize.street_props import StandingPicture
from data_prep.synthesize.strip import Strip
from data_prep.synthesize.wall_painter import paint_walls


def draw_panorama(
    scene: Scene,
    camera: np.ndarray,
    strip: Strip,
    conditions: Conditions,
    pictures: list[StandingPicture],
) -> np.ndarray:
    """Draws what a camera sees around it.

    Args:
        scene: District.
        camera: (3,) x, y and height in metres.
        strip: Part of the cylinder.
        conditions: Light, air and season.
        pictures: Cars, people and trees, farthest first.

    Returns:
        (columns, rows) uint32, each four bytes: red, green, blue, 255.
    """
    rays = strip.rays()
    hits = cast_rays(scene.walls, camera[:2], rays)
    canvas = draw_sky(strip, conditions)
    ground_row = paint_walls(canvas, scene, camera, strip, conditions, hits)
    paint_ground(canvas, scene.ground, camera, strip, conditions, ground_row)
    for picture in pictures:
        paint_picture(
            canvas, picture, camera, strip, conditions, rays, hits.distance[0]
        )
    np.clip(canvas, 0, 255, out=canvas)
    return canvas.astype(np.uint8).view(np.uint32)[..., 0]
