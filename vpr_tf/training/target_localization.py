"""Where the photos of a target were taken, by the encoder that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vpr_tf.config import (
    ConfigError,
    ExperimentConfig,
    LocalizationConfig,
    RerankConfig,
)
from vpr_tf.data.image_batches import SplitImages
from vpr_tf.data.image_sources import ImageSource
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import PreparedDataset, SplitIndex
from vpr_tf.extraction import Target
from vpr_tf.geo import MapFrame, Positions
from vpr_tf.localization import (
    Calibration,
    Candidates,
    FittedOn,
    LocalizationError,
    calibrate_on_queries,
    estimate_positions,
    predictions_to_calibrate,
)
from vpr_tf.photos import PhotoTable
from vpr_tf.search import build_index
from vpr_tf.training.errors import TrainingError

# From photos of a source, by their rows, to descriptors.
DescribeImages = Callable[[ImageSource, np.ndarray], np.ndarray]


class TargetPlaces(NamedTuple):
    """Photos of a target with the places that they are taken to be of.

    Attributes:
        rows: Of the target, int64 `(num_taken,)`.
        record_ids: Of each, the photo of the train split that it is most like, int64.
        places: Float64 `(num_taken, 4)` as `MapFrame.places`; no rows without a plane.
        num_known: Of them, those whose true position is known.
        num_right: Of these, those that are taken to be near it.
    """

    rows: np.ndarray
    record_ids: np.ndarray
    places: np.ndarray
    num_known: int = 0
    num_right: int = 0


@dataclass(frozen=True, eq=False)
class TargetLocalizer:
    """Localizes photos of a target by those of the trained classes.

    Of the target nothing but the pixels is used; where it was taken is compared with
    what is found, for people.

    Attributes:
        config: How photos are localized.
        threshold_m: Largest error of a right position.
        seed: Of the calibration.
        train: The train split.
        record_ids: Its photos that the target is compared with, int64.
        target: The photos.
        target_positions: Where they were taken.
        val_queries: What the confidence is calibrated on.
        val_database: Where these are looked for.
    """

    config: LocalizationConfig
    threshold_m: float
    seed: int
    train: SplitIndex
    record_ids: np.ndarray
    target: ImageSource
    target_positions: Positions
    val_queries: SplitIndex
    val_database: SplitIndex

    @classmethod
    def of(
        cls,
        config: ExperimentConfig,
        dataset: PreparedDataset,
        partition: Partition,
        target: Target | None,
    ) -> TargetLocalizer | None:
        """Returns what localizes for `train.objectives`; None if none needs it.

        Raises:
            ConfigError: There is nothing to calibrate a confidence on.
        """
        labels, val = config.train.pseudo_labels, dataset.val
        if labels is None or target is None:
            return None
        if val is None or not val.queries_have_positions:
            raise ConfigError(
                "`train.objectives` has pseudo_labels, which takes photos by their "
                "confidence, and that is calibrated on queries of val whose positions "
                f"are known. Received: {dataset.path}, without. Build it with "
                "`build.val`, or leave pseudo_labels out."
            )
        if target.is_split(dataset, val.queries):
            raise ConfigError(
                "`train.target.photos` must be other photos than the queries of val, "
                "by which the confidence of pseudo_labels is calibrated. Received: "
                f"{target.adapted_to.text}, which are these."
            )
        records = _trained_records(partition, config.train.groups_num)
        most = labels.database_photos
        if len(records) > most:
            records = records[np.linspace(0, len(records) - 1, most).astype(np.int64)]
        return cls(
            # Of photos without labels no heading is known, and none is compared anew.
            dataclasses.replace(
                config.localization, heading_tolerance_deg=None, rerank=RerankConfig()
            ),
            config.evaluation.positive_dist_threshold_m,
            config.seed,
            dataset.split("train"),
            records,
            target.photos,
            target.positions,
            dataset.split(val.queries),
            dataset.split(val.database),
        )

    def localize(
        self, describe: DescribeImages, min_confidence: float, frame: MapFrame | None
    ) -> TargetPlaces:
        """Returns the photos whose confidence suffices.

        Args:
            describe: The encoder.
            min_confidence: Of a photo that is taken.
            frame: Plane of the places; None where they are not needed.

        Raises:
            TrainingError: The confidence cannot be calibrated.
        """
        calibration = self._calibration(describe)
        photos = self.train.photo_table().take(self.record_ids)
        of_target = describe(self.target, np.arange(len(self.target)))
        database = describe(SplitImages(self.train), self.record_ids)
        distances, rows = build_index("exact", database).search(
            of_target, self.config.num_predictions
        )
        candidates = Candidates.from_matches(distances, rows, photos, self.config)
        estimates = estimate_positions(
            candidates,
            self.config,
            calibration=calibration,
            min_confidence=min_confidence,
        )
        taken = np.flatnonzero(estimates.localized)
        first = estimates.members[taken].argmax(axis=1)
        keys = _keys(candidates.photos)[candidates.rows[taken, first]]
        places = np.empty((0, 4))
        if frame is not None:
            places = frame.places(
                estimates.positions.take(taken), estimates.heading_deg[taken]
            ).astype(np.float64)
        errors_m = estimates.errors_m(self.target_positions)[taken]
        return TargetPlaces(
            taken,
            self.record_ids[_rows_of_keys(photos.keys, keys)],
            places,
            int(np.isfinite(errors_m).sum()),
            int((errors_m <= self.threshold_m).sum()),
        )

    def _calibration(self, describe: DescribeImages) -> Calibration:
        queries, database = (
            describe(SplitImages(split), np.arange(len(split)))
            for split in (self.val_queries, self.val_database)
        )
        found = build_index("exact", database).search(
            queries, predictions_to_calibrate(self.config)
        )
        tables = self.val_queries.photo_table(), self.val_database.photo_table()
        # It is applied at once, by the encoder that it is fitted with.
        fitted_on = FittedOn("val", self.threshold_m, "", seed=self.seed)
        try:
            return calibrate_on_queries(*found, *tables, self.config, fitted_on)
        except LocalizationError as error:
            raise TrainingError(
                f"pseudo_labels of `train.objectives`: val gives no calibration: "
                f"{error}"
            ) from error


def _trained_records(partition: Partition, groups_num: int) -> np.ndarray:
    """Returns the photos of the classes of all trained groups, ascending."""
    classes = partition.classes_of_group(groups_num * partition.groups_per_step - 1)
    records = partition.record_ids[: partition.class_offsets[classes.stop]]
    return np.unique(np.asarray(records, np.int64))


def _keys(photos: PhotoTable | None) -> np.ndarray:
    if photos is None:
        raise ValueError("Candidates of matches have photos. Received: none")
    return photos.keys


def _rows_of_keys(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(keys)
    return order[np.searchsorted(keys, wanted, sorter=order)]
