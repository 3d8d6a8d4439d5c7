"""Errors of an evaluation, for people: one line that says what to change."""


class EvaluationError(ValueError):
    """An evaluation that cannot be made."""


class DescriptorError(EvaluationError):
    """An encoder that does not give finite descriptors of the right shape."""
