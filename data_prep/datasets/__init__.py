"""Public datasets: what they are, and adapters that read them where they lie."""

from data_prep.datasets.description import DatasetDescription
from data_prep.datasets.photo_list import Adapter, PhotoList
from data_prep.datasets.prepare import PreparedTables, prepare_dataset
from data_prep.datasets.registry import dataset_names, find_adapter, unsupported

__all__ = [
    "Adapter",
    "DatasetDescription",
    "PhotoList",
    "PreparedTables",
    "dataset_names",
    "find_adapter",
    "prepare_dataset",
    "unsupported",
]
