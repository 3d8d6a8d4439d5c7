"""ImageNet weights of `keras.applications`."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from vpr_tf.models.backbones.backbone_spec import layer_and_variable


def imagenet_arrays(make_network: Callable[..., keras.Model]) -> dict[str, np.ndarray]:
    """Fetches the ImageNet weights of a network of `keras.applications`.

    Args:
        make_network: A function of `keras.applications`, e.g. `ConvNeXtTiny`.

    Returns:
        Values by `layer/variable`.

    Raises:
        ConnectionError: The weights are neither in Keras's cache nor can they be
            downloaded.
    """
    try:
        network = make_network(
            weights="imagenet", include_top=False, input_shape=(224, 224, 3)
        )
    except Exception as error:
        raise ConnectionError(
            f"The ImageNet weights of keras.applications.{make_network.__name__} could "
            "not be fetched. They are downloaded from the network at first use and "
            "kept in ~/.keras/models. Without network put the file there, set "
            "`encoder.weights` to a .weights.h5 or .keras file or to none, or use the "
            f"backbone EfficientNetLite0, whose weights are installed. Cause: {error}"
        ) from error
    return {layer_and_variable(v.path): v.numpy() for v in network.weights}
