"""What is wrong with a matcher."""


class MatchingError(ValueError):
    """Photos cannot be matched as asked for."""
