"""Errors of localization by classes."""


class ClassificationError(ValueError):
    """A classifier that is missing, damaged or does not fit what it is used with."""
