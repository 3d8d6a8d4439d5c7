"""An encoder with the batch norms' statistics of other photos, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from vpr_tf.config import ExperimentConfig, TargetConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_loading import load_extractor
from vpr_tf.extraction.target import Target
from vpr_tf.models import GeoLocalizationNet, set_statistics


def adapt_batch_norms(
    config: ExperimentConfig,
    model: str | Path | None,
    output: str | Path,
    *,
    target: TargetConfig,
    share: float = 1.0,
    max_images: int = 10_000,
) -> tuple[FeatureExtractor, int]:
    """Measures the statistics on photos of a target and saves the encoder with them.

    Args:
        config: Dataset, preparation of images, size of the batches and seed of the
            sample.
        model: See `load_extractor`.
        output: The `.keras` file to write.
        target: The photos; nothing but their pixels is used.
        share: See `set_statistics`.
        max_images: Size of the sample.

    Returns:
        What the encoder was, and the number of photos.

    Raises:
        EncoderError: There is no such model.
        ConfigError: There is no such split or folder.
        DatasetError: There is no dataset, which the config names.
        ValueError: The encoder has no batch norm, or is no Keras encoder; a value is
            impossible, or `output` is no `.keras` file.
    """
    output = Path(output)
    if output.suffix != ".keras":
        raise ValueError(f"`output` must end in .keras. Received: {str(output)!r}")
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0 and at most 1. Received: {share}")
    dataset = PreparedDataset(config.dataset.path)
    opened = Target.of(target, dataset)
    extractor = load_extractor(config, model)
    encoder = extractor.encoder
    if not isinstance(encoder, GeoLocalizationNet):
        raise ValueError(
            "Statistics are set in a Keras encoder: a run folder, a .keras file or a "
            f"released encoder. Received: {type(encoder).__name__}"
        )
    rng = np.random.default_rng(config.seed)
    record_ids = rng.permutation(len(opened.photos))[:max_images]
    reader = extractor.batches(opened.photos)

    def batches() -> Iterator[tf.Tensor]:
        # In random order, so that no batch is of one street.
        for first in range(0, len(record_ids), extractor.batch_size):
            rows = np.sort(record_ids[first : first + extractor.batch_size])
            for images, _ in reader.iterate(rows):
                yield images

    num_images = set_statistics(encoder, batches(), share)
    encoder.preprocessing = extractor.preprocessing
    encoder.adapted_to = opened.adapted_to
    output.parent.mkdir(parents=True, exist_ok=True)
    encoder.save(output)
    return extractor, num_images
