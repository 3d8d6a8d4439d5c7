"""What a dataset holds: numbers in the terminal, pictures in a folder."""

from data_prep.inspection.inspect import inspect_dataset, verify_dataset
from data_prep.inspection.preview import preview_dataset

__all__ = ["inspect_dataset", "preview_dataset", "verify_dataset"]
