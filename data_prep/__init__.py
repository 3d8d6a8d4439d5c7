"""Prepared datasets: from folders and tables of images to TFRecord shards."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "add_partition": "data_prep.partition.files",
    "add_test": "data_prep.added_tests",
    "build_dataset": "data_prep.build",
    "partition_table": "data_prep.partition.table",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
