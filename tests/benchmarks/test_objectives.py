"""Methods are compared on the same number of photos, and every config can be."""

from pathlib import Path

import pytest

from benchmarks.objectives import METHODS, _experiment

CONFIG = Path(__file__).parents[2] / "configs/quickstart.yaml"


@pytest.mark.parametrize("method", METHODS)
def test_method_sees_as_many_photos_of_the_same_encoder(method):
    base = _experiment("cosface", (), CONFIG, ["train.epochs=8"]).config
    config = _experiment(method, METHODS[method], CONFIG, ["train.epochs=8"]).config
    batches = 2 if config.build.partition.method == "eigenplaces" else 1
    assert batches * config.train.batch_size == base.train.batch_size
    assert config.train.epochs == base.train.epochs
    assert config.train.iterations_per_epoch == base.train.iterations_per_epoch
    assert config.encoder == base.encoder
    assert config.name == f"quickstart-{method}"
