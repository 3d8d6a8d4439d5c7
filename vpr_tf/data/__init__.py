"""Prepared datasets: records, random access, class-balanced batches.

What needs TensorFlow is imported when it is first used. The pipelines are the modules
`training_batches` and `image_batches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import (
    DatasetError,
    EvaluationSet,
    PreparedDataset,
    SplitIndex,
)

if TYPE_CHECKING:
    from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation
    from vpr_tf.data.record_reading import DamagedRecordError, damaged_records_named
    from vpr_tf.data.verification import verify_split

__all__ = [
    "DamagedRecordError",
    "DatasetError",
    "EvaluationSet",
    "Partition",
    "PreparedDataset",
    "SplitIndex",
    "damaged_records_named",
    "decode_image",
    "resize_for_evaluation",
    "verify_split",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DamagedRecordError": "vpr_tf.data.record_reading",
        "damaged_records_named": "vpr_tf.data.record_reading",
        "decode_image": "vpr_tf.data.image_decoding",
        "resize_for_evaluation": "vpr_tf.data.image_decoding",
        "verify_split": "vpr_tf.data.verification",
    },
)
