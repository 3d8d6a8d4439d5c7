"""Plain classification: a linear layer and softmax cross-entropy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_num_classes
from vpr_tf.layers.training_head import LinearHead


@keras.saving.register_keras_serializable(package="vpr_tf")
class CrossEntropyHead(LinearHead):
    """Linear layer with bias whose outputs are the logits of the classes.

    Args:
        num_classes: Number of classes of the group.
        **kwargs: Keyword arguments of `TrainingHead`.

    Output shape:
        `(batch, num_classes)`, float32.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        check_num_classes(num_classes)
        super().__init__(num_classes, **kwargs)
        self.num_classes = num_classes

    def loss(self, descriptors, class_index):
        class_index = ops.convert_to_tensor(class_index, "int32")
        return ops.sparse_categorical_crossentropy(
            class_index, self(descriptors), from_logits=True
        )

    def get_config(self):
        config = super().get_config()
        config.update({"num_classes": self.num_classes})
        return config
