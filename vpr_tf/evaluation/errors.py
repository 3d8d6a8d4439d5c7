"""Errors of an evaluation, for people: one line that says what to change."""


class EvaluationError(ValueError):
    """An evaluation that cannot be made."""
