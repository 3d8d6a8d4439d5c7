"""An encoder with a whitening layer at its end, fitted on descriptors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_loading import load_extractor
from vpr_tf.extraction.whitening.pca import Whitening, fit_whitening
from vpr_tf.models import GeoLocalizationNet


def whiten_encoder(
    config: ExperimentConfig,
    model: str | Path | None,
    output: str | Path,
    *,
    dim: int,
    whiten: bool = True,
    split_name: str = "train",
    max_images: int = 10_000,
) -> tuple[FeatureExtractor, Whitening]:
    """Fits a whitening on images of a split and saves the encoder with it.

    Args:
        config: Dataset, preparation of images and seed of the sample.
        model: See `load_extractor`.
        output: The `.keras` file to write.
        dim: Length of the new descriptors.
        whiten: False for PCA alone.
        split_name: Split whose images are described.
        max_images: Size of the sample.

    Returns:
        What described the images, and the whitening.

    Raises:
        EncoderError: There is no such model.
        DatasetError: There is no such split.
        ValueError: The encoder is whitened already, `dim` is too large, or `output`
            is no `.keras` file.
    """
    output = Path(output)
    if output.suffix != ".keras":
        raise ValueError(f"`output` must end in .keras. Received: {str(output)!r}")
    split = PreparedDataset(config.dataset.path).split(split_name)
    extractor = load_extractor(config, model)
    encoder = check_not_whitened(extractor.encoder)
    rng = np.random.default_rng(config.seed)
    record_ids = np.sort(rng.permutation(len(split))[:max_images])
    _check_dim(dim, encoder.descriptor_dim, len(record_ids), split_name)
    descriptors = extractor.extract_records(split, record_ids)
    whitening = fit_whitening(descriptors, dim, whiten)
    whitened = add_whitening(encoder, whitening)
    whitened.preprocessing = extractor.preprocessing
    output.parent.mkdir(parents=True, exist_ok=True)
    whitened.save(output)
    return extractor, whitening


def _check_dim(dim: int, descriptor_dim: int, num_images: int, split: str) -> None:
    """Refuses before the descriptors are computed, which may take hours."""
    largest = min(descriptor_dim, num_images - 1)
    if not 1 <= dim <= largest:
        raise ValueError(
            f"`--dim` must be between 1 and {largest}: the descriptors have "
            f"{descriptor_dim} values, and {num_images} images of {split} are used. "
            f"Received: {dim}"
        )


def check_not_whitened(encoder: object) -> GeoLocalizationNet:
    """Checks that an encoder can take a whitening layer, and returns it.

    Raises:
        ValueError: It has one, or is no `GeoLocalizationNet`.
    """
    if not isinstance(encoder, GeoLocalizationNet):
        raise ValueError(
            "Whitening is folded into a Keras encoder: a run folder or a .keras file. "
            f"Received: {type(encoder).__name__}"
        )
    whitening_dim = encoder.get_config()["whitening_dim"]
    if whitening_dim is not None:
        raise ValueError(
            "The encoder must not be whitened already. Received: whitening_dim="
            f"{whitening_dim}. Start from the encoder that it was made of."
        )
    return encoder


def add_whitening(
    encoder: GeoLocalizationNet, whitening: Whitening
) -> GeoLocalizationNet:
    """Returns a new encoder that whitens its descriptors and divides by their norm.

    Args:
        encoder: Gives the descriptors that the whitening was fitted on; its weights
            are copied.
        whitening: From `fit_whitening`.

    Raises:
        ValueError: The encoder is whitened already, or its descriptors have another
            length.
    """
    check_not_whitened(encoder)
    length, dim = whitening.kernel.shape
    if length != encoder.descriptor_dim:
        raise ValueError(
            f"The whitening is for descriptors of length {length}. Received an encoder "
            f"with descriptor_dim={encoder.descriptor_dim}"
        )
    config = encoder.get_config() | {"whitening_dim": dim}
    whitened = GeoLocalizationNet.from_config(config)
    for layer in encoder.layers:
        whitened.get_layer(layer.name).set_weights(layer.get_weights())
    whitened.get_layer("whitening").set_weights([whitening.kernel, whitening.bias])
    return whitened
