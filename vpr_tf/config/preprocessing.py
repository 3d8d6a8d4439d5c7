"""How images become the input of an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vpr_tf.config.rules import check_choice, check_range

RESIZES = ("native", "shorter_side", "square")
EXTRACTION_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "int8")


@dataclass(frozen=True)
class Preprocessing:
    """Resize of an image and the precision of the encoder that gets it.

    Attributes:
        resize: `native` keeps the size, `shorter_side` keeps the aspect, `square` does
            not.
        image_size: Pixels; not used by `native`.
        precision: `float32`, `mixed_bfloat16`, `mixed_float16`, or `int8` (on CPUs).
    """

    resize: str = "native"
    image_size: int = 512
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_preprocessing(self, "")

    def __str__(self) -> str:
        size = "" if self.resize == "native" else f" {self.image_size}"
        return f"{self.resize}{size}, {self.precision}"

    def identity(self) -> dict[str, Any]:
        """Returns what two must share to give the same descriptors; JSON-ready."""
        return {
            "precision": self.precision,
            "resize": self.resize,
            "image_size": None if self.resize == "native" else self.image_size,
        }


def check_preprocessing(config: Any, section: str) -> None:
    """Checks `resize`, `image_size` and `precision` of a config.

    Args:
        config: Has these fields.
        section: Where they stand in a file, such as `evaluation`; empty for nowhere.

    Raises:
        ConfigError: One cannot be used.
    """
    prefix = f"{section}." if section else ""
    check_choice(f"{prefix}resize", config.resize, RESIZES)
    check_range(config, section, 1, None, "image_size")
    check_choice(f"{prefix}precision", config.precision, EXTRACTION_PRECISIONS)
