"""Errors of photos and of the tables that list them."""


class PhotoSourceError(ValueError):
    """A folder or table of photos that cannot be read; the message names it."""


class InvalidEntryError(ValueError):
    """A photo that cannot be used; the message is the reason, e.g. in rejected.csv."""


class NoPositionError(InvalidEntryError):
    """A photo of whose position nothing is said.

    Attributes:
        timestamp: When it was taken; empty if that is unknown too.
    """

    def __init__(self, reason: str, timestamp: str = "") -> None:
        super().__init__(reason)
        self.timestamp = timestamp


class NoImageError(InvalidEntryError):
    """A file whose content is neither JPEG nor PNG."""
