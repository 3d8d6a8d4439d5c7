from pathlib import Path

import pytest

from benchmarks.methods_labels import method_labels
from tests.benchmarks.method_cases import write_experiment
from vpr_tf.config import load_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "dense"


@pytest.fixture(scope="module")
def shipped():
    return [load_config(path) for path in sorted(CONFIGS.glob("*.yaml"))]


def test_shipped_configs_have_names_of_their_own_on_one_dataset(shipped):
    labels = method_labels(shipped)
    assert {"D&C (ArcFace)", "PlaNet", "HGE", "CPlaNet", "MvMF"} <= set(labels)
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if "dense_" in label]
    assert len({config.dataset.path for config in shipped}) == 1


def test_shipped_encoders_see_equally_many_samples(shipped):
    for config in shipped:
        train = config.train
        if train.input == "images":
            samples = train.epochs * train.iterations_per_epoch * train.batch_size
            assert 59_900 <= samples <= 60_000, config.name
            assert train.epochs % train.groups_num == 0, config.name


def test_equal_methods_are_told_apart_by_their_config(tmp_path):
    configs = [write_experiment(tmp_path, name).config for name in ("a", "b")]
    assert method_labels(configs) == ["D&C (ArcFace) (a)", "D&C (ArcFace) (b)"]
