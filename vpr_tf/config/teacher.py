"""The teacher of a distillation."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.encoder import RUN_PREFIX
from vpr_tf.config.rules import (
    MOST_PIXELS_A_SIDE,
    check,
    check_choice,
    check_name,
    check_range,
)


@dataclass(frozen=True)
class TeacherConfig:
    """The encoder that a distillation learns from; it describes the photos once."""

    # A run folder, run:NAME (the newest finished run of that name), a .keras file, an
    # export or the name of a released encoder.
    model: str = "???"
    image_size: int | None = None  # its photos, square; null: as it was trained
    # Where its descriptors are of another length than the student's: pca, or random (a
    # random rotation that is cut, or has zeros behind it).
    projection: str = "pca"

    def __post_init__(self) -> None:
        check(bool(self.model), "train.teacher.model", "the name of a model", "")
        if self.run_name is not None:
            check_name("train.teacher.model: run:NAME", self.run_name)
        if self.image_size is not None:
            check_range(self, "train.teacher", 1, MOST_PIXELS_A_SIDE, "image_size")
        projections = ("pca", "random")
        check_choice("train.teacher.projection", self.projection, projections)

    @property
    def run_name(self) -> str | None:
        """The NAME of `run:NAME`."""
        if not self.model.startswith(RUN_PREFIX):
            return None
        return self.model.removeprefix(RUN_PREFIX)
