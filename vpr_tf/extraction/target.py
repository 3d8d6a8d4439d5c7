"""The photos of `train.target`: of a split, or of a folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import AdaptedTo, ConfigError, TargetConfig
from vpr_tf.data.image_batches import SplitImages
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset
from vpr_tf.data.record_reading import stored_images
from vpr_tf.extraction.photo_sources import PhotoImages
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoFiles, PhotoSourceError, scan_photos

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Target:
    """Photos of another domain.

    Attributes:
        photos: The photos.
        positions: Where they were taken, as far as that is known; for people.
        adapted_to: What an encoder that learns from them notes.
    """

    photos: EncodedSource
    positions: Positions
    adapted_to: AdaptedTo

    @classmethod
    def of(cls, config: TargetConfig, dataset: PreparedDataset) -> Target:
        """Opens them.

        Args:
            config: Split or folder.
            dataset: Has the splits.

        Raises:
            ConfigError: The dataset has no such split, or the folder no photos.
        """
        try:
            if config.split is not None:
                split = dataset.split(config.split)
                fingerprint = dataset.split_fingerprint(split.name)
                photos: EncodedSource = SplitImages(split)
                positions = split.positions()
            else:
                folder = Path(config.photos or "")
                files = scan_photos(folder, needs_position=False)
                photos, positions = PhotoImages(files), files.photos.positions
                _tell_rejected(folder, files)
                fingerprint = _of_contents(
                    Path(files.file(row)).read_bytes() for row in range(len(files))
                )
        except DatasetError as error:
            raise ConfigError(f"`train.target.split`: {error}") from error
        except (PhotoSourceError, OSError) as error:
            raise ConfigError(f"`train.target.photos`: {error}") from error
        noted = AdaptedTo.of(config, fingerprint)
        photos.name = noted.text
        return cls(photos, positions, noted)

    def is_split(self, dataset: PreparedDataset, split_name: str) -> bool:
        """Whether these are the photos of a split; see `is_adapted_to_split`."""
        return is_adapted_to_split(self.adapted_to, dataset, split_name)


def is_adapted_to_split(
    adapted_to: AdaptedTo, dataset: PreparedDataset, split_name: str
) -> bool:
    """Whether an encoder was adapted to all photos of a split, and to no others.

    Args:
        adapted_to: What the encoder notes.
        dataset: Has the split.
        split_name: The split; its images are read if the encoder was adapted to a
            folder.

    Raises:
        DatasetError: There is no such split, or a record is damaged.
    """
    if not adapted_to.is_folder:
        own = AdaptedTo(split_name, dataset.split_fingerprint(split_name))
        return adapted_to == own
    split = dataset.split(split_name)
    contents = stored_images(split, np.arange(len(split)))
    return adapted_to.dataset_fingerprint == _of_contents(contents)


def _tell_rejected(folder: Path, files: PhotoFiles) -> None:
    if files.rejected:
        path, reason = files.rejected[0]
        _LOG.warning(
            "%s files of the target, %s, cannot be used. The first: %s: %s",
            *(f"{len(files.rejected):,}", folder, path, reason),
        )


def _of_contents(contents: Iterable[bytes]) -> str:
    """Returns a hash of what photos hold, whatever their names and their order."""
    digests = sorted(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(b"".join(digests)).hexdigest()
