"""Whether SavedModels may do more than compute: only where the user says so.

A SavedModel is a program: TensorFlow runs whatever operations it holds. Those that
touch files or call Python are refused before anything is loaded. Who trusts the maker
of a model as the maker of a program passes `--trust-model`, or says so here; a dozen
functions lie between that and the loading, so that it is no argument of all of them.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_trusted = contextvars.ContextVar("trusted_models", default=False)


@contextlib.contextmanager
def trusting_models(trusted: bool = True) -> Iterator[None]:
    """Loads SavedModels inside the block whatever operations they hold.

    This holds for the thread that enters the block.

    Args:
        trusted: False changes nothing.

    Example:
        >>> import vpr_tf as vpr
        >>> with vpr.trusting_models():  # doctest: +SKIP
        ...     encoder = vpr.load_encoder("savedmodels/of_a_colleague")
    """
    token = _trusted.set(trusted or _trusted.get())
    try:
        yield
    finally:
        _trusted.reset(token)


def models_are_trusted() -> bool:
    """Whether the user trusts the SavedModels that are loaded now."""
    return _trusted.get()
