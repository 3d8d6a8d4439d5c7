import dataclasses

import numpy as np
import pytest

from tests.small_training import small_config
from vpr_tf.config import ConfigError
from vpr_tf.data.partition import CLASS_DTYPE, Partition
from vpr_tf.training.checks import check_batch_size, check_groups
from vpr_tf.training.train import train


def make_partition(*classes_per_group):
    classes = np.zeros(sum(classes_per_group), CLASS_DTYPE)
    classes["group_id"] = np.repeat(
        np.arange(len(classes_per_group)), classes_per_group
    )
    offsets = np.arange(len(classes) + 1)
    return Partition("city", {}, classes, offsets, np.arange(len(classes)))


def test_classes_of_the_trained_groups_are_counted():
    assert check_groups(make_partition(4, 2, 1), 2) == [4, 2]


def test_too_many_groups_are_refused_with_the_number_that_exist():
    message = "between 1 and 3, the number of groups of partition 'city'. Received: 4"
    with pytest.raises(ConfigError, match=message):
        check_groups(make_partition(4, 2, 3), 4)


def test_a_group_of_one_class_is_refused():
    message = r"Group 2 of partition 'city' has 1 class.*Set `train.groups_num` to 2,"
    with pytest.raises(ConfigError, match=message):
        check_groups(make_partition(4, 2, 1), 3)


def test_fewer_groups_are_no_advice_for_the_only_one():
    with pytest.raises(ConfigError, match="Make a partition with more") as raised:
        check_groups(make_partition(1), 1)
    assert "groups_num" not in str(raised.value)


def test_a_protocol_of_no_test_set_is_refused_before_training(
    small_training_dataset, tmp_path
):
    config = small_config(tmp_path, small_training_dataset.path)
    evaluation = dataclasses.replace(config.evaluation, protocol={"tset": "standard"})
    with pytest.raises(ConfigError, match=r"'tset'.* Did you mean test\?"):
        train(dataclasses.replace(config, evaluation=evaluation))
    assert not list(tmp_path.glob("runs/*/*"))


def test_batch_must_split_over_the_replicas():
    check_batch_size(12, 4)
    with pytest.raises(ConfigError, match="multiple of the number of replicas, 5"):
        check_batch_size(12, 5)
