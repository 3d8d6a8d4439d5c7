"""Which queries get a second look, and how."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import check, check_choice, check_range

RERANK_WHEN = ("never", "below_confidence", "always")
MATCHERS = ("xfeat", "sift", "dense")
_MOST_CANDIDATES = 1000
_IMAGE_SIZES = (32, 4096)


@dataclass(frozen=True)
class RerankConfig:
    """A second look: queries compared with their candidates point by point."""

    when: str = "never"  # never | below_confidence | always
    # Of below_confidence: queries whose confidence is lower get a second look; null:
    # those that would be withheld. Without a calibration all do.
    confidence: float | None = None
    candidates: int = 20  # the most similar photos, which are compared with the query
    matcher: str = "xfeat"  # or sift, which needs no weights; dense: the encoder's own
    # Of xfeat: file that `vpr convert --matcher xfeat` wrote; also --matcher-weights
    weights: str | None = None
    image_size: int = 640  # most pixels of the longer side of what is compared

    def __post_init__(self) -> None:
        section = "localization.rerank"
        check_choice(f"{section}.when", self.when, RERANK_WHEN)
        check_choice(f"{section}.matcher", self.matcher, MATCHERS)
        check_range(self, section, 1, _MOST_CANDIDATES, "candidates")
        check_range(self, section, *_IMAGE_SIZES, "image_size")
        if self.confidence is not None:
            check_range(self, section, 0, 1, "confidence")
        check(
            self.weights is None or self.matcher == "xfeat",
            f"{section}.weights",
            f"null with the matcher {self.matcher}, which has no weights",
            self.weights,
        )
