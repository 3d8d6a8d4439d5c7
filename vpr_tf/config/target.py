"""The domain to which an encoder is adapted."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import MOST_IMAGES_A_BATCH, check, check_range

VAL_QUERIES = "val-queries"


@dataclass(frozen=True)
class TargetConfig:
    """Photos of another domain, of which no label is used: night, another camera."""

    # Of the dataset, as val-queries, test-NAME-queries; `vpr data add-test` adds some.
    split: str = "???"
    photos_per_batch: int | None = None  # over all replicas; null: `batch_size`

    def __post_init__(self) -> None:
        check(bool(self.split), "train.target.split", "the name of a split", self.split)
        check(
            self.split != "train",
            "train.target.split",
            "another split than the one that is trained on",
            self.split,
        )
        if self.photos_per_batch is not None:
            most = MOST_IMAGES_A_BATCH
            check_range(self, "train.target", 1, most, "photos_per_batch")


@dataclass(frozen=True)
class AdaptedTo:
    """Photos that an encoder was adapted to, so that tests on them are recognised."""

    split: str
    dataset_fingerprint: str  # `PreparedDataset.split_fingerprint`
