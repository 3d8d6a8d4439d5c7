import re

import numpy as np
import pytest
import utm

from data_prep.synthesize.dataset import plan_shots
from data_prep.synthesize.presets import PRESETS, synthesis_config

from .small_city import small_config

NAME = re.compile(
    r"@(\d{7}\.\d\d)@(\d{7}\.\d\d)@32@T@(\d{3}\.\d{5})@(\d{4}\.\d{5})"
    r"@([\w-]{22})@(\d\d)?@(\d{3})@@@@(\d{6}(?:\d\d_\d{4})?)@@\.jpg"
)


def fields(name):
    match = NAME.fullmatch(name.rsplit("/", 1)[-1])
    assert match, name
    return match.groups()


def positions(shots):
    """Returns east, north, heading of every image."""
    rows = [fields(name) for shot in shots for name in shot.names]
    return np.array([[float(row[0]), float(row[1]), float(row[6])] for row in rows])


def is_query(shot):
    return "/queries/" in shot.names[0]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_names_are_consistent_with_the_utm_zone(split):
    for shot in plan_shots(small_config(), split):
        for name in shot.names:
            east, north, latitude, longitude = map(float, fields(name)[:4])
            expected = utm.to_latlon(east, north, 32, "T")
            assert np.allclose(expected, (latitude, longitude), atol=6e-6)
            assert utm.from_latlon(latitude, longitude)[2:] == (32, "T")


@pytest.mark.parametrize("preset", ["quickstart", "tiny"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_every_query_has_a_database_image_of_its_place_and_heading(preset, split):
    shots = plan_shots(synthesis_config(preset), split)
    database = positions([shot for shot in shots if not is_query(shot)])
    queries = positions([shot for shot in shots if is_query(shot)])
    assert len(queries) == PRESETS[preset].districts()[split].num_queries
    for query in queries:
        distance = np.hypot(*(database[:, :2] - query[:2]).T)
        turn = np.abs((database[:, 2] - query[2] + 180) % 360 - 180)
        assert ((distance <= 25) & (turn <= 15)).any()


def test_at_night_queries_alone_are_taken_with_lit_windows():
    for split in ("train", "val", "test"):
        for shot in plan_shots(synthesis_config("night"), split):
            assert (shot.conditions.glow > 0) == is_query(shot)


def test_splits_are_kilometres_apart():
    config = synthesis_config("quickstart")
    places = {
        s: positions(plan_shots(config, s))[:, :2] for s in ("train", "val", "test")
    }
    for first, second in (("train", "val"), ("val", "test"), ("train", "test")):
        low = np.maximum(places[first].min(0), places[second].min(0))
        high = np.minimum(places[first].max(0), places[second].max(0))
        assert (low - high).max() > 1000


def test_panoramas_have_evenly_spaced_headings_and_unique_names():
    shots = plan_shots(synthesis_config("tiny"), "train")
    names = [name for shot in shots for name in shot.names]
    assert len(set(names)) == len(names)
    for shot in shots:
        assert len(shot.names) == 12
        steps = np.diff(sorted(positions([shot])[:, 2]))
        assert np.all(steps == 30)
        assert len({fields(name)[4] for name in shot.names}) == 1


def test_train_places_are_seen_in_several_conditions():
    shots = plan_shots(synthesis_config("quickstart"), "train")
    by_visit = [shots[k::3] for k in range(3)]
    assert len(by_visit[0]) == len(by_visit[2])
    moved = [
        np.hypot(*np.subtract(a.camera[:2], b.camera[:2]))
        for a, b in zip(by_visit[0], by_visit[1], strict=True)
    ]
    assert 1.0 < np.median(moved) < 15.0
    assert len({shot.conditions.haze_length_m for shot in shots}) > len(shots) // 3


def test_plan_shots_depends_on_the_seed():
    first, again = (plan_shots(small_config(), "test") for _ in range(2))
    other = plan_shots(small_config(seed=3), "test")
    assert first == again
    assert not {s.names[0] for s in first} & {s.names[0] for s in other}
