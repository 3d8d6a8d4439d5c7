"""How strong colour jitter is, wherever it stands."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import check_range


@dataclass(frozen=True)
class JitterStrengths:
    """Strengths with torchvision's meanings."""

    brightness: float = 0.7  # factor in [1 - b, 1 + b]
    contrast: float = 0.7
    saturation: float = 0.7
    hue: float = 0.5  # shift in [-hue, hue] turns

    def check_strengths(self, path: str) -> None:
        """Checks the fields, which stand at a path."""
        check_range(self, path, 0, None, "brightness", "contrast", "saturation")
        check_range(self, path, 0, 0.5, "hue")
