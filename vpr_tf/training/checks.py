"""What the dataset and the devices must offer before training starts."""

from __future__ import annotations

from vpr_tf.config import ConfigError
from vpr_tf.data.prepared_dataset import Partition


def check_groups(partition: Partition, groups_num: int) -> list[int]:
    """Returns the number of classes of each group that will be trained.

    Raises:
        ConfigError: There are fewer groups, or one has fewer than two classes.
    """
    if groups_num > partition.num_groups:
        raise ConfigError(
            f"`train.groups_num` must be between 1 and {partition.num_groups}, the "
            f"number of groups of partition {partition.name!r}. Received: {groups_num}"
        )
    counts = [len(partition.classes_of_group(group)) for group in range(groups_num)]
    for group_id, count in enumerate(counts):
        if count < 2:
            raise ConfigError(
                f"Group {group_id} of partition {partition.name!r} has {count} "
                "class(es); a group needs 2 or more. Lower `train.groups_num`, or "
                "`build.partition.min_images_per_class` of the partition."
            )
    return counts


def check_batch_size(batch_size: int, num_replicas: int) -> None:
    """Checks that every replica gets the same number of images.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """
    if batch_size % num_replicas:
        raise ConfigError(
            "`train.batch_size` is global and must be a multiple of the number of "
            f"replicas, {num_replicas}. Received: {batch_size}"
        )
