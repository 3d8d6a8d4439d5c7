"""The city that adaptation is measured on, and configs of all methods."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.adaptation import METHODS, draw
from data_prep.synthesize.presets import PRESETS
from vpr_tf.config import load_config

CONFIG = Path(__file__).parents[2] / "configs/night_mapped.yaml"


def names(folder):
    return {file.name for file in folder.iterdir()}


def test_the_target_is_of_the_streets_of_the_test_and_not_of_its_queries(tmp_path):
    tiny = PRESETS["tiny"]
    few = dataclasses.replace(tiny.test, num_queries=3)
    one_visit = dataclasses.replace(tiny.train, visits=1)
    preset = dataclasses.replace(
        tiny, train=one_visit, test=few, headings_per_position=2, image_size=16
    )
    for _ in range(2):  # an interrupted call goes on
        counts = draw(tmp_path, preset, 4, workers=1)
    tested, target = names(tmp_path / "test/queries"), names(tmp_path / "unlabelled")
    assert (len(tested), len(target)) == (3, 4) == (3, counts["unlabelled"])
    assert not tested & target
    by_day = names(tmp_path / "train") | names(tmp_path / "test/database")
    assert names(tmp_path / "day") == by_day
    assert counts["day"] == len(by_day)


@pytest.mark.parametrize("method", METHODS)
def test_methods_see_the_same_photos_by_day(method):
    config = load_config(CONFIG, METHODS[method])
    base = load_config(CONFIG)
    for name in ("epochs", "iterations_per_epoch", "batch_size", "image_size"):
        assert getattr(config.train, name) == getattr(base.train, name)
    assert (config.train.target is None) == (method == "day")
