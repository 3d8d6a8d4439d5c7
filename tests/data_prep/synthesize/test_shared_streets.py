"""The preset `dense`: train, val and test photograph the same streets."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from data_prep.synthesize.city import share_styles
from data_prep.synthesize.dataset import district_plan, plan_shots
from data_prep.synthesize.drawing import draw_shot
from data_prep.synthesize.presets import (
    DistrictPreset,
    SharedCityPreset,
    SynthesisConfig,
    synthesis_config,
)

from .small_city import small_config

SPLITS = ("train", "val", "test")
VISITS = 4
# SHA-256 of the settings and of all names before presets could share streets.
OLD_CITIES = {
    "tiny": "77a937b7c26fb954e151f1391313624deeb707e01bbf2e267f3a7a906a8be899",
    "quickstart": "0870d26261da5146bdadfbb3de2f8849993656222d654b7ecd4125f135688a66",
}


def small_shared_config(seed=0):
    preset = SharedCityPreset(
        name="small_shared",
        train=DistrictPreset(blocks=1, position_spacing_m=40.0, visits=2),
        val=DistrictPreset(blocks=1, position_spacing_m=30.0, num_queries=20),
        test=DistrictPreset(blocks=1, position_spacing_m=8.5, num_queries=20),
        image_size=32,
        headings_per_position=4,
        num_house_styles=5,
    )
    return SynthesisConfig(preset=preset, seed=seed)


def all_shots(config):
    return {split: plan_shots(config, split) for split in SPLITS}


def places(shots):
    """Returns (images, 3): east, north, heading."""
    names = [name.rsplit("/", 1)[-1] for shot in shots for name in shot.names]
    rows = [name.split("@") for name in names]
    return np.array([(row[1], row[2], row[9]) for row in rows], np.float64)


def parts(shots):
    """Returns database and queries."""
    is_query = ["/queries/" in shot.names[0] for shot in shots]
    return (
        [shot for shot, query in zip(shots, is_query, strict=True) if not query],
        [shot for shot, query in zip(shots, is_query, strict=True) if query],
    )


def nearest_m(points, others):
    return cKDTree(others[:, :2]).query(points[:, :2])[0]


@pytest.fixture(scope="module")
def dense():
    return all_shots(synthesis_config("dense"))


def test_dense_sizes(dense):
    counts = {}
    for split, shots in dense.items():
        database, queries = parts(shots)
        counts[split] = sum(len(shot.names) for shot in database), len(queries)
    assert counts["train"][0] >= 30_000
    assert counts["train"][1] == 0
    assert 1_200 <= counts["val"][0] <= 2_000
    assert counts["val"][1] == 200
    assert counts["test"][0] >= 6_000
    assert counts["test"][1] == 500


def test_dense_cells_hold_enough_images_for_classes(dense):
    cells = np.floor(places(dense["train"])[:, :2] / 20)
    _, images = np.unique(cells, axis=0, return_counts=True)
    assert 300 <= len(images) <= 450
    assert 60 <= images.mean() <= 100


def test_all_splits_cover_the_same_streets(dense):
    train = places(dense["train"])
    for split in ("val", "test"):
        database, queries = (places(part) for part in parts(dense[split]))
        assert nearest_m(np.concatenate([database, queries]), train).max() < 12
        assert nearest_m(train, database).max() < 30


def test_every_query_has_a_database_image_that_looks_its_way(dense):
    for split in ("val", "test"):
        database, queries = (places(part) for part in parts(dense[split]))
        for query in queries:
            distance = np.hypot(*(database[:, :2] - query[:2]).T)
            turn = np.abs((database[:, 2] - query[2] + 180) % 360 - 180)
            assert ((distance <= 25) & (turn <= 45)).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_every_query_has_a_database_image_whatever_the_seed(seed):
    config = small_shared_config(seed)
    for split in ("val", "test"):
        database, queries = (places(part) for part in parts(plan_shots(config, split)))
        assert nearest_m(queries, database).max() <= 25


def test_no_photograph_is_in_two_splits(dense):
    for value in (
        lambda shot: shot.camera,
        lambda shot: shot.conditions.seed,
        lambda shot: shot.names[0].split("@")[7],
    ):
        found = [{value(shot) for shot in dense[split]} for split in SPLITS]
        assert len(set.union(*found)) == sum(len(one) for one in found)
    names = [n.rsplit("/", 1)[-1] for s in SPLITS for t in dense[s] for n in t.names]
    assert len(set(names)) == len(names)


def test_visits_stand_and_look_elsewhere(dense):
    shots = dense["train"]
    cameras = np.array([shot.camera[:2] for shot in shots]).reshape(-1, VISITS, 2)
    moved = np.hypot(*(cameras[:, 0] - cameras[:, 1]).T)
    assert 2.0 < np.median(moved) < 8.0
    assert (moved > 0.5).mean() > 0.95
    first = np.array([shot.headings_deg[0] for shot in shots])
    assert set(first) == set(range(45))
    headings = first.reshape(-1, VISITS)
    assert (headings[:, 0] == headings[:, 1]).mean() < 0.1


def test_stops_are_spread_along_and_across_the_streets(dense):
    config = synthesis_config("dense")
    street = district_plan(config, "train").streets[0]
    count = VISITS * round(street.length_m / 6.5)
    offsets = np.array([s.camera[:2] for s in dense["train"][:count]]) - street.start
    spacing = street.length_m / (count // VISITS)
    middle = (np.arange(count) // VISITS + 0.5) * spacing
    along = offsets @ street.direction - middle
    assert np.abs(along).max() <= 3.0
    assert along.min() < -2.5
    assert along.max() > 2.5
    across = np.abs(offsets @ street.right)
    assert (across < 0.2 * street.half_road_m).any()
    assert (across > street.half_road_m).any()
    assert across.max() < street.half_width_m


def test_panoramas_divide_the_turn_evenly(dense):
    for shot in dense["test"][:50]:
        assert len(shot.names) == 8
        assert np.all(np.diff(shot.headings_deg) == 45)


def test_the_same_camera_sees_the_same_in_every_split():
    config = small_shared_config()
    shot = plan_shots(config, "test")[0]
    images = draw_shot(config, shot)
    assert draw_shot(config, replace(shot, split="train")) == images
    assert draw_shot(config, shot) == images
    separate = small_config()
    assert draw_shot(separate, shot) != draw_shot(
        separate, replace(shot, split="train")
    )


def test_houses_share_styles_but_not_signs():
    lots = district_plan(small_shared_config(), "val").lots
    assert len({lot.style_seed for lot in lots}) == 5
    assert len({lot.seed for lot in lots}) == len(lots)
    again = share_styles(lots, np.random.default_rng(3), 2)
    assert [lot.seed for lot in again] == [lot.seed for lot in lots]
    assert len({lot.style_seed for lot in again}) == 2


@pytest.mark.parametrize("name", sorted(OLD_CITIES))
def test_cities_with_a_district_a_split_are_unchanged(name):
    config = synthesis_config(name)
    digest = hashlib.sha256(json.dumps(config.settings, sort_keys=True).encode())
    for shots in all_shots(config).values():
        for shot in shots:
            digest.update("".join(shot.names).encode())
    assert digest.hexdigest() == OLD_CITIES[name]


def test_shared_city_invalid_settings():
    preset = small_shared_config().preset
    with pytest.raises(ValueError, match=r"`blocks` must be the same.*\[1, 2, 1\]"):
        replace(preset, val=DistrictPreset(blocks=2, position_spacing_m=30.0))
    with pytest.raises(ValueError, match="`num_house_styles` must be 1 or more"):
        replace(preset, num_house_styles=0)
