"""Errors of encoders, for people: one line that says what to change."""


class EncoderError(ValueError):
    """An encoder that cannot be found, loaded or used."""


class DescriptorError(EncoderError):
    """An encoder that does not give finite descriptors of the right shape."""


class UntrustedModelError(EncoderError):
    """A SavedModel that could do more than compute, or whose graph is damaged."""
