"""From photos to descriptors: an encoder, the preparation of its images, an engine."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.cluster import chosen_cluster
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sources import BatchReader, ImageSource, PixelSource
from vpr_tf.data.pillow_batches import PillowBatches
from vpr_tf.data.prepared_dataset import PreparedDataset, SplitIndex
from vpr_tf.engine_choice import chosen_engine
from vpr_tf.extraction.describe_images import (
    DescribedPhotos,
    DescriptorArray,
    describe_images,
)
from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.extraction.encoders import (
    Encoder,
    as_encoder,
    check_image_size,
    descriptor_dim_of,
)
from vpr_tf.extraction.engines import (
    Forward,
    compile_forward,
    default_engine,
    possible_preprocessing,
)
from vpr_tf.extraction.photo_sources import GivenPhotos, PhotoImages
from vpr_tf.models import encoder_fingerprint
from vpr_tf.photos import PhotoFiles, RejectedPhoto

# To compile takes longer than to describe so few photos without.
_FEW_PHOTOS = 32
_LOG = logging.getLogger("vpr_tf")


class FeatureExtractor:
    """Computes descriptors of photos, files, splits and records, all in one way.

    Args:
        encoder: A `GeoLocalizationNet`, any other Keras model, a SavedModel, or a
            function from float32 images `(batch, height, width, 3)` in [0, 1] to
            descriptors `(batch, dim)`. Its weights must not change from here on.
        preprocessing: How images are prepared; None keeps their size and computes in
            float32.
        engine: What computes, one of `vpr_tf.extraction.engines.ENGINES`; None for what
            `using_engine` says, or else for `tensorflow`, and for the engine of the
            format of an exported encoder.
        batch_size: Images that are described together.
        description: What the encoder is, for people.
        fingerprint: Identity of the encoder; None computes it when it is needed.

    Attributes:
        encoder: The encoder, as it was given.
        preprocessing: See above; its precision is that which the engine computes in,
            float32 where this CPU lacks the instructions for the wanted one.
        engine: What computes.
        batch_size: See above.
        description: See above.

    Raises:
        EncoderError: There is no such engine, or the encoder takes images of another
            size only.

    Examples:
        >>> import numpy as np
        >>> from vpr_tf.extraction import FeatureExtractor
        >>> extractor = FeatureExtractor(lambda images: np.mean(images, axis=(1, 2)))
        >>> extractor.extract([np.zeros((8, 8, 3)), np.ones((4, 6, 3))]).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        encoder: Encoder | Callable[[Any], Any],
        preprocessing: Preprocessing | None = None,
        *,
        engine: str | None = None,
        batch_size: int = 16,
        description: str = "",
        fingerprint: str | None = None,
    ) -> None:
        self.encoder = as_encoder(encoder)
        wanted = preprocessing or Preprocessing()
        check_image_size(self.encoder, wanted)
        chosen = chosen_engine()
        self.engine = engine or chosen.name or default_engine(self.encoder)
        self._encoder_url = chosen.encoder_url
        self.preprocessing = possible_preprocessing(self.engine, self.encoder, wanted)
        self.batch_size = batch_size
        self.description = description or type(encoder).__name__
        if self.preprocessing != wanted:
            self._say_other_precision(wanted.precision)
        self._fingerprint = fingerprint
        self._num_few = 0
        self._compiled: Forward | None = None

    @property
    def fingerprint(self) -> str:
        """Identity of the encoder: a hash of its architecture and weights."""
        if self._fingerprint is None:
            self._fingerprint = encoder_fingerprint(self.encoder)
        return self._fingerprint

    @functools.cached_property
    def descriptor_dim(self) -> int:
        """Length of a descriptor."""
        return descriptor_dim_of(self.encoder, self.preprocessing)

    def identity(self) -> dict[str, Any]:
        """Returns all but the image that determines its descriptor; JSON-ready."""
        engine = {} if self.engine == "tensorflow" else {"engine": self.engine}
        return {
            "encoder_fingerprint": self.fingerprint,
            **self.preprocessing.identity(),
            **engine,
        }

    def extract(self, photos: Any, *, progress: bool = False) -> np.ndarray:
        """Computes the descriptors of photos.

        Args:
            photos: A sequence of paths, bytes of JPEG or PNG files, PIL images and
                arrays `(height, width[, channels])`, uint8 or floats in [0, 1].
            progress: Whether to draw a progress bar.

        Returns:
            Float32 `(num_photos, descriptor_dim)`.

        Raises:
            InvalidEntryError: A photo cannot be read or decoded; which, and why.
            DescriptorError: The encoder refuses an image, or gave NaN, infinity or
                another shape.
        """
        source = GivenPhotos(photos)
        store = DescriptorArray(np.arange(len(source)), self.descriptor_dim)
        self._describe(source, store, progress=progress, few=True)
        return store.descriptors

    def extract_files(
        self,
        photos: PhotoFiles,
        folder: str | Path | None = None,
        *,
        dtype: str = "float32",
        name: str = "photos",
        progress: bool = True,
    ) -> DescribedPhotos:
        """Computes the descriptors of photo files, or what a former run left to do.

        A photo that cannot be decoded, has changed since it was listed, or is too
        small for the encoder is rejected, and the others go on.

        Args:
            photos: What `scan_photos` or `scan_named_photos` found.
            folder: Folder for the descriptors, see `DescriptorFile`; None for memory.
            dtype: `float32` or `float16`, of the descriptors in the folder.
            name: What the photos are, for the progress bar.
            progress: Whether to draw a progress bar.

        Raises:
            DescriptorError: The encoder gave NaN, infinity or another shape.
        """
        rows = np.arange(len(photos))
        store: DescriptorArray | DescriptorFile
        if folder is None or not len(photos):
            store = DescriptorArray(rows, self.descriptor_dim)
        else:
            identity = self.identity()
            source = {"format_version": 1, "photos": photos.identity(), **identity}
            store = DescriptorFile(
                folder, source, len(photos), self.descriptor_dim, dtype
            )
        skipped = self._describe(
            PhotoImages(photos, name),
            store,
            skip_damaged=True,
            progress=progress,
            few=folder is None,
        )
        rejected = [
            RejectedPhoto(photos.paths[row].decode(), reason)
            for row, reason in sorted(skipped.items())
        ]
        rows = np.flatnonzero(store.done)
        described = photos.take(rows).with_rejected(rejected)
        return DescribedPhotos(described, store.descriptors, rows)

    def extract_split(
        self,
        dataset: PreparedDataset,
        split: str,
        folder: str | Path,
        *,
        dtype: str = "float32",
        progress: bool = True,
    ) -> np.ndarray:
        """Computes the descriptors of a split, or what a former run left to do.

        Args:
            dataset: The prepared dataset.
            split: Name of the split.
            folder: Folder for the descriptors; see `DescriptorFile`.
            dtype: `float32` or `float16`, of the file.
            progress: Whether to draw a progress bar.

        Returns:
            `(num_images, descriptor_dim)`, memory-mapped, in record order.

        Raises:
            DescriptorError: The encoder gave NaN, infinity or another shape.
            DamagedRecordError: A record cannot be read or decoded.
        """
        from vpr_tf.data.image_batches import SplitImages

        index, source = dataset.split(split), self.split_source(dataset, split)
        file = DescriptorFile(folder, source, len(index), self.descriptor_dim, dtype)
        self._describe(SplitImages(index), file, progress=progress)
        return file.descriptors

    def split_source(self, dataset: PreparedDataset, split: str) -> dict[str, Any]:
        """Returns all that determines the descriptors of a split; JSON-ready."""
        return {
            "format_version": 1,
            "dataset_fingerprint": dataset.split_fingerprint(split),
            "split": split,
            **self.identity(),
        }

    def extract_records(
        self, split: SplitIndex, record_ids: np.ndarray, *, progress: bool = True
    ) -> np.ndarray:
        """Computes the descriptors of some records of a split, in memory.

        Args:
            split: The split.
            record_ids: Which records, in increasing order.
            progress: Whether to draw a progress bar.

        Returns:
            Float32 `(num_records, descriptor_dim)`, in the order of `record_ids`.

        Raises:
            DescriptorError: The encoder gave NaN, infinity or another shape.
            DamagedRecordError: A record cannot be read or decoded.
        """
        from vpr_tf.data.image_batches import SplitImages

        store = DescriptorArray(record_ids, self.descriptor_dim)
        self._describe(SplitImages(split), store, progress=progress)
        return store.descriptors

    def _say_other_precision(self, wanted: str) -> None:
        remark = (
            f"{self.preprocessing.precision} instead of {wanted}, which {self.engine} "
            "does not compute in on this CPU"
        )
        self.description += f" ({remark})"
        _LOG.warning("%s.", remark[0].upper() + remark[1:])

    def forward(self) -> Forward:
        """Returns the encoder as a compiled function of batches, kept between calls.

        It maps float32 `(batch, height, width, 3)` to an array `(batch, dim)`.
        """
        if self._compiled is None:
            self._compiled = compile_forward(
                self.engine, self.encoder, self.preprocessing, self._encoder_url
            )
        return self._compiled

    def _describe(
        self,
        source: ImageSource,
        store: DescriptorArray | DescriptorFile,
        *,
        skip_damaged: bool = False,
        progress: bool,
        few: bool = False,
    ) -> dict[int, str]:
        """Fills a store; returns the rows that were skipped, with the reasons."""
        if not len(store.missing_rows):
            return {}  # without compiling
        how = {"skip_damaged": skip_damaged, "progress": progress}
        cluster = None if few else chosen_cluster()
        if cluster is not None:
            from vpr_tf.extraction.cluster_description import (
                describe_on_cluster,
                setup_of,
            )

            setup = cluster.setup_for(self, lambda: setup_of(self, self._encoder_url))
            return describe_on_cluster(
                cluster, setup, self.batches(source), store, **how
            )
        return describe_images(
            self._forward_for(len(source)) if few else self.forward(),
            self.descriptor_dim,
            self.batches(source),
            store,
            **how,
        )

    def batches(self, source: ImageSource) -> BatchReader:
        """Returns what reads images for the encoder, in batches.

        It is TensorFlow for itself, and for records.
        """
        if self.engine != "tensorflow" and isinstance(source, PixelSource):
            return PillowBatches(source, self.preprocessing, self.batch_size)
        from vpr_tf.data.image_batches import ImageBatches

        return ImageBatches(source, self.preprocessing, self.batch_size)

    def _forward_for(self, num_photos: int) -> Forward:
        """Returns the encoder, not compiled until it has described some photos.

        Descriptors then differ in the last digits from those of `forward`.
        """
        self._num_few += num_photos
        is_few = self._compiled is None and self._num_few <= _FEW_PHOTOS
        precision = self.preprocessing.precision
        if not is_few or self.engine != "tensorflow" or precision == "int8":
            return self.forward()
        return self._uncompiled

    @functools.cached_property
    def _uncompiled(self) -> Forward:
        from vpr_tf.extraction.engines.tensorflow import uncompiled_forward

        return uncompiled_forward(self.encoder, self.preprocessing)
