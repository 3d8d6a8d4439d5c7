"""NetVLAD at the start of training."""

from typing import ClassVar

import numpy as np
import pytest

from tests.small_training import small_config
from vpr_tf.extraction import EncoderError, load_extractor
from vpr_tf.training import train as train_module
from vpr_tf.training.result import TrainingResult
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.train import train

OVERRIDES = (
    *("encoder.aggregation.name=netvlad", "encoder.aggregation.num_clusters=3"),
    *("train.groups_num=1", "train.iterations_per_epoch=2"),
)


class LoopThatMovesClusters:
    """Stands in for `EpochLoop`: its only step adds 1 to the centroids."""

    seen: ClassVar[list] = []

    def __init__(self, *, trainer, store, **parts):
        self.layer, self.store = trainer.encoder.get_layer("aggregation"), store

    def run(self):
        self.seen.append(self.layer.get_weights())
        self.layer.centroids.assign(self.layer.centroids + 1)
        self.store.save()


@pytest.fixture
def clusters_at_start(monkeypatch):
    monkeypatch.setattr(LoopThatMovesClusters, "seen", [])
    monkeypatch.setattr(train_module, "EpochLoop", LoopThatMovesClusters)
    monkeypatch.setattr(train_module, "finish_run", lambda *arguments: [])
    monkeypatch.setattr(
        TrainingResult, "from_run", lambda run: TrainingResult(run.path)
    )
    return LoopThatMovesClusters.seen


@pytest.fixture
def config(small_training_dataset, tmp_path):
    def make(*overrides):
        return small_config(
            tmp_path, small_training_dataset.path, *OVERRIDES, *overrides
        )

    return make


def test_training_starts_from_clusters_and_a_resumed_run_goes_on(
    config, clusters_at_start
):
    run = RunFolder(train(config()).run)
    line = "Initialised 3 clusters of NetVLAD by k-means on 4,000 local features"
    assert run.log_file.read_text().count(line) == 1
    # An evaluation of the initial weights sees what training starts from.
    loaded = load_extractor(config(), None)
    initial = loaded.encoder.get_layer("aggregation")
    assert not initial.clusters_are_random
    assert "3 clusters of NetVLAD by k-means" in loaded.description
    for ours, theirs in zip(clusters_at_start[0], initial.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # === Resume ===
    assert train(config(), resume=True).run == run.path
    assert run.log_file.read_text().count("Initialised") == 1
    (assignment, centroids), resumed = clusters_at_start
    np.testing.assert_array_equal(resumed[0], assignment)
    np.testing.assert_array_equal(resumed[1], centroids + 1)


def test_clusters_of_a_weights_file_are_kept(config, tmp_path):
    encoder = load_extractor(config(), None).encoder
    layer = encoder.get_layer("aggregation")
    layer.centroids.assign(layer.centroids + 1)
    encoder.save(tmp_path / "encoder.keras")
    again = load_extractor(
        config(f"encoder.weights={tmp_path / 'encoder.keras'}"), None
    )
    assert "k-means" not in again.description
    np.testing.assert_array_equal(
        again.encoder.get_layer("aggregation").centroids, layer.centroids
    )


def test_more_clusters_than_features_are_refused(config):
    too_many = config("encoder.aggregation.num_clusters=5000")
    message = "5000 clusters need as many different features. Received: 4000"
    with pytest.raises(EncoderError, match=message):
        load_extractor(too_many, None)
