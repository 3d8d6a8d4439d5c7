"""Prepared datasets: records, random access, class-balanced batches.

What needs TensorFlow is imported when it is first used. The pipelines are the modules
`training_batches` and `evaluation_batches`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vpr_tf.data.prepared_dataset import (
    DatasetError,
    EvaluationSet,
    Partition,
    PreparedDataset,
    SplitIndex,
)

if TYPE_CHECKING:
    from vpr_tf.data.errors import DamagedRecordError, damaged_records_named
    from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation
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

_MODULES = {
    "errors": ("DamagedRecordError", "damaged_records_named"),
    "image_decoding": ("decode_image", "resize_for_evaluation"),
    "verification": ("verify_split",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"vpr_tf.data.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
