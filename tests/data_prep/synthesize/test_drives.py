"""The preset `drive`: queries are drives, some streets are not in the database."""

import datetime
import itertools
from dataclasses import replace

import numpy as np
import pytest

from data_prep.synthesize.city import plan_streets
from data_prep.synthesize.dataset import plan_shots
from data_prep.synthesize.drives import drive_along
from data_prep.synthesize.presets import DistrictPreset, DriveShape, synthesis_config
from vpr_tf.photos import clock_seconds, parse_image_name

SHAPE = DriveShape()


@pytest.fixture(scope="module")
def shots():
    config = synthesis_config("drive")
    test = DistrictPreset(blocks=2, position_spacing_m=15.0, num_queries=3)
    return plan_shots(replace(config, preset=replace(config.preset, test=test)), "test")


def plan_of(seed, blocks=3):
    return plan_streets(np.random.default_rng(seed), blocks)


@pytest.mark.parametrize("seed", range(8))
def test_a_car_goes_no_faster_than_it_may(seed):
    stands = drive_along(plan_of(seed), SHAPE, np.random.default_rng(seed))
    assert len(stands) == SHAPE.num_photos
    steps_m = [
        np.hypot(*(there.point - here.point))
        for here, there in itertools.pairwise(stands)
    ]
    # Turning at a crossing it changes to the lane of the other street.
    assert max(steps_m) <= SHAPE.speed_m_per_s[1] * SHAPE.seconds_between + 10
    assert np.median(steps_m) >= SHAPE.speed_m_per_s[0] * SHAPE.seconds_between


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_car_keeps_to_the_right_and_does_not_turn_round(blocks):
    plan = plan_of(1, blocks)
    stands = drive_along(plan, SHAPE, np.random.default_rng(2))
    turns = [
        abs((there.heading_deg - here.heading_deg + 180) % 360 - 180)
        for here, there in itertools.pairwise(stands)
    ]
    assert max(turns) < 135
    for stand in stands:
        heading = np.deg2rad(stand.heading_deg)
        right = np.array([np.cos(heading), -np.sin(heading)])
        beside_m = [
            ((stand.point - street.start) @ right, street.half_road_m)
            for street in plan.streets
            if abs(street.direction @ right) < 1e-6
        ]
        assert any(0 < metres < half_road for metres, half_road in beside_m)


def test_a_car_waits_at_crossings():
    always = replace(SHAPE, waits_at_crossings=1.0)
    never = replace(SHAPE, waits_at_crossings=0.0)
    standing = [
        sum(
            np.array_equal(here.point, there.point)
            for here, there in itertools.pairwise(
                drive_along(plan_of(3), shape, np.random.default_rng(4))
            )
        )
        for shape in (always, never)
    ]
    assert standing[0] >= 3
    assert standing[1] == 0


def test_each_drive_is_a_folder_in_one_light(shots):
    queries = [shot for shot in shots if "/queries/" in shot.names[0]]
    folders = [shot.names[0].rsplit("/", 2)[1] for shot in queries]
    assert sorted(set(folders)) == ["drive_00", "drive_01", "drive_02"]
    drive = [s for s, name in zip(queries, folders, strict=True) if name == "drive_01"]
    assert len(drive) == SHAPE.num_photos
    assert len({replace(shot.conditions, seed=0) for shot in drive}) == 1
    assert len({shot.conditions.seed for shot in drive}) == len(drive)
    assert len({(shot.lens, shot.finish) for shot in drive}) == 1
    names = [shot.names[0].rsplit("/", 1)[1] for shot in drive]
    times = [parse_image_name(name).timestamp for name in names]
    seconds, _ = clock_seconds(np.array(times, "S15"))
    assert np.diff(seconds).tolist() == [SHAPE.seconds_between] * (len(drive) - 1)
    assert times == sorted(times)
    datetime.datetime.strptime(times[0], "%Y%m%d_%H%M%S")


def test_every_fifth_street_is_not_in_the_database(shots):
    config = synthesis_config("drive")
    assert [config.preset.is_mapped(line) for line in range(6)] == [
        False,
        *[True] * 4,
        False,
    ]
    assert synthesis_config("tiny").preset.is_mapped(0)
    database, drives = (
        np.array([shot.camera[:2] for shot in shots if part in shot.names[0]])
        for part in ("/database/", "/queries/")
    )
    nearest_m = np.hypot(*(drives[:, None] - database).T).min(axis=0)
    assert 0.05 < (nearest_m > 25).mean() < 0.6
