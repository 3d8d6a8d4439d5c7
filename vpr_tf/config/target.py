"""The domain to which an encoder is adapted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config.rules import MOST_IMAGES_A_BATCH, ConfigError, check, check_range

VAL_QUERIES = "val-queries"


@dataclass(frozen=True)
class TargetConfig:
    """Photos of another domain, of which no label is used: night, another camera."""

    # Of the dataset, as val-queries, test-NAME-queries; `vpr data add-test` adds some.
    split: str | None = None
    # Instead of a split: a folder of photos, or a CSV table of them.
    photos: str | None = None
    photos_per_batch: int | None = None  # over all replicas; null: `batch_size`

    def __post_init__(self) -> None:
        section = "train.target"
        if bool(self.split) == bool(self.photos):
            raise ConfigError(
                f"`{section}` needs either `split`, the name of a split, or `photos`, "
                f"a folder. Received: split={self.split!r}, photos={self.photos!r}"
            )
        check(
            self.split != "train",
            f"{section}.split",
            "another split than the one that is trained on",
            self.split,
        )
        if self.photos_per_batch is not None:
            check_range(self, section, 1, MOST_IMAGES_A_BATCH, "photos_per_batch")


@dataclass(frozen=True)
class AdaptedTo:
    """Photos that an encoder was adapted to, so that tests on them are recognised."""

    split: str  # or the name of a folder
    # `PreparedDataset.split_fingerprint`; of a folder: of all that its photos hold.
    dataset_fingerprint: str
    is_folder: bool = False

    @classmethod
    def of(cls, target: TargetConfig, fingerprint: str) -> AdaptedTo:
        """Returns the note of an encoder that was adapted to `train.target`."""
        if target.photos is not None:
            return cls(Path(target.photos).name, fingerprint, is_folder=True)
        return cls(str(target.split), fingerprint)

    @property
    def text(self) -> str:
        """What they are, for people."""
        return f"the photos of {self.split}" if self.is_folder else self.split
