import dataclasses
import json

import keras
import numpy as np
import pytest

from vpr_tf.data.partition import REGION_DTYPE
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.resume import check_same_data
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.run_writers import data_facts


def test_a_run_goes_on_with_its_data_only(small_training_dataset, tmp_path):
    run = RunFolder(tmp_path)
    partition = small_training_dataset.partition("cosplace")
    facts = data_facts(small_training_dataset, partition)
    check_same_data(run, facts)  # killed before it wrote anything
    run.metrics_file.write_text(json.dumps({"run": facts}))
    check_same_data(run, facts)
    with pytest.raises(TrainingError, match=r"dataset_fingerprint was '.*' and is 'x'"):
        check_same_data(run, facts | {"dataset_fingerprint": "x"})


def test_a_partition_is_told_by_its_classes(small_training_dataset):
    partition = small_training_dataset.partition("cosplace")
    facts = data_facts(small_training_dataset, partition)
    classes = partition.classes.copy()
    classes["centre_east_m"][0] += 1
    other = dataclasses.replace(partition, classes=classes)
    changed = data_facts(small_training_dataset, other)
    assert changed["dataset_fingerprint"] == facts["dataset_fingerprint"]
    assert changed["partition_fingerprint"] != facts["partition_fingerprint"]


def test_regions_are_part_of_the_fingerprint(small_training_dataset):
    partition = small_training_dataset.partition("cosplace")
    found = {
        data_facts(
            small_training_dataset, dataclasses.replace(partition, regions=regions)
        )["partition_fingerprint"]
        for regions in (None, np.ones(1, REGION_DTYPE), np.zeros(1, REGION_DTYPE))
    }
    assert len(found) == 3


def test_an_augmentation_is_described_with_its_settings(small_training_dataset):
    partition = small_training_dataset.partition("cosplace")
    flip = keras.layers.RandomFlip("horizontal", seed=1)
    facts = data_facts(small_training_dataset, partition, flip)
    assert facts["augment"] == "RandomFlip(seed=1, mode='horizontal')"
    facts = data_facts(small_training_dataset, partition, np.flip)
    assert facts["augment"] == "numpy.flip"
