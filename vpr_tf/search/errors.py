"""Errors of indexes, for people: one line that says what to do."""


class RetrievalError(ValueError):
    """An index that cannot be built, read, changed or searched."""


class IndexMismatchError(RetrievalError):
    """A saved index that was made by another encoder, or is damaged."""
