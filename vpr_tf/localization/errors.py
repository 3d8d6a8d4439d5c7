"""Errors of localization, for people: one line that says what to do."""


class LocalizationError(ValueError):
    """Positions or confidences that cannot be computed."""
