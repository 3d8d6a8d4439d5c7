"""What a dataset holds: numbers in the terminal, pictures in a folder."""

from data_prep.inspection.inspect import inspect_dataset, verify_dataset

__all__ = ["inspect_dataset", "verify_dataset"]
