"""Keras's own checks of a layer, imported in this one place.

`keras.src` is not public API; a Keras release that moves it breaks this file alone.
"""

import warnings
from typing import Any

from keras.src.testing import TestCase


def run_layer_test(layer_cls: type, init_kwargs: dict[str, Any], **kwargs: Any) -> None:
    """Checks building, serialisation, symbolic and eager calls, mixed precision and
    a training step of a layer, see `keras.src.testing.TestCase.run_layer_test`."""
    with warnings.catch_warnings():
        # The check trains on a generator, which Keras itself warns about.
        warnings.filterwarnings("ignore", "`shuffle=True` was passed")
        TestCase().run_layer_test(layer_cls, init_kwargs, **kwargs)
