"""What `train.augmentation.extra` lists, in the tf.data graph, one image at a time."""

from vpr_tf.data.extra_augmentations.pipeline import ExtraAugmentations

__all__ = ["ExtraAugmentations"]
