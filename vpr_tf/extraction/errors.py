"""Errors of encoders, for people: one line that says what to change."""

from __future__ import annotations

from typing import Any


class EncoderError(ValueError):
    """An encoder that cannot be found, loaded or used."""


class DescriptorError(EncoderError):
    """An encoder that does not give finite descriptors of the right shape."""


class ImageSizeError(DescriptorError):
    """Images of a size that the encoder refuses."""

    @classmethod
    def of(cls, images: Any, reason: str) -> ImageSizeError:
        """Returns the error for images `(batch, height, width, 3)`."""
        height, width = images.shape[1:3]
        return cls(f"The encoder refuses images of {height}x{width} pixels. {reason}")


class UntrustedModelError(EncoderError):
    """A SavedModel that could do more than compute, or whose graph is damaged."""
