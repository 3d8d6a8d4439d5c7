"""Which engine computes descriptors, where the user says so.

As in `trusted_models`: a dozen functions lie between the command line and an extractor,
so that it is no argument of all of them. The address of a server is never taken from a
file: whoever wrote the file would get the photos.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple


class EngineChoice(NamedTuple):
    """What computes.

    Attributes:
        engine: One of `vpr_tf.extraction.engines.ENGINES`; None leaves it to the
            config and the encoder.
        encoder_url: Address of a served encoder, which computes instead.
    """

    engine: str | None = None
    encoder_url: str | None = None

    @property
    def name(self) -> str | None:
        """The engine: `remote` where there is an address."""
        return "remote" if self.encoder_url else self.engine


_NONE = EngineChoice()
_chosen = contextvars.ContextVar("engine_choice", default=_NONE)


@contextlib.contextmanager
def using_engine(
    engine: str | None = None, encoder_url: str | None = None
) -> Iterator[None]:
    """Extractors made inside the block compute by this engine.

    This holds for the thread that enters the block.

    Args:
        engine: See `EngineChoice`; None changes nothing.
        encoder_url: See `EngineChoice`; None changes nothing.

    Example:
        >>> import vpr_tf as vpr
        >>> with vpr.using_engine("openvino"):  # doctest: +SKIP
        ...     place = vpr.PlaceIndex.open("city.index").localize("photo.jpg")
    """
    outer = _chosen.get()
    choice = EngineChoice(engine or outer.engine, encoder_url or outer.encoder_url)
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_engine() -> EngineChoice:
    """Returns what the user has chosen for the extractors that are made now."""
    return _chosen.get()
