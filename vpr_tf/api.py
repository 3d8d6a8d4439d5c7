"""Functions of `import vpr_tf as vpr` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpr_tf.extraction import FeatureExtractor, load_extractor

if TYPE_CHECKING:
    from vpr_tf.config import ExperimentConfig, Preprocessing


def load_encoder(
    model: Any,
    *,
    config: ExperimentConfig | None = None,
    preprocessing: Preprocessing | None = None,
) -> FeatureExtractor:
    """Loads an encoder with the way its photos are prepared.

    Args:
        model: Name of a released encoder, run folder, `.keras` file, SavedModel, Keras
            model, or a function of float32 images `(batch, height, width, 3)`.
        config: Says how photos are prepared; None for what the model says itself.
        preprocessing: Instead of that of `config`.

    Raises:
        EncoderError: There is no such model, or it cannot be loaded.

    Example:
        >>> import numpy as np
        >>> import vpr_tf as vpr
        >>> encoder = vpr.load_encoder(lambda images: np.mean(images, axis=(1, 2)))
        >>> encoder.extract([np.zeros((8, 8, 3)), np.ones((4, 6, 3))]).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    return load_extractor(config, model, preprocessing=preprocessing)
