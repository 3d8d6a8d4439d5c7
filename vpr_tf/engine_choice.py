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

_REMOTE = "remote"


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
        return _REMOTE if self.encoder_url else self.engine


_NONE = EngineChoice()
_chosen = contextvars.ContextVar("engine_choice", default=_NONE)


@contextlib.contextmanager
def using_engine(
    engine: str | None = None, encoder_url: str | None = None
) -> Iterator[None]:
    """Extractors made inside the block compute by this engine, or at this address.

    This holds for the thread that enters the block, and replaces what an outer block
    says; `remote` alone keeps its address.

    Args:
        engine: See `EngineChoice`.
        encoder_url: See `EngineChoice`. None and no engine change nothing.

    Raises:
        ValueError: There is an address, and an engine that computes here.

    Example:
        >>> import vpr_tf as vpr
        >>> with vpr.using_engine("openvino"):  # doctest: +SKIP
        ...     place = vpr.PlaceIndex.open("city.index").localize("photo.jpg")
    """
    if encoder_url and engine not in (None, _REMOTE):
        raise ValueError(
            f"`encoder_url` lets a server compute. Received: {engine=}, too, which "
            "computes here. Leave out one of them."
        )
    choice = EngineChoice(engine, encoder_url)
    if choice.name is None:
        choice = _chosen.get()
    elif choice == EngineChoice(_REMOTE):
        choice = EngineChoice(_REMOTE, _chosen.get().encoder_url)
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_engine() -> EngineChoice:
    """Returns what the user has chosen for the extractors that are made now."""
    return _chosen.get()
