"""How names and tables of photos are read."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import check_range


@dataclass(frozen=True)
class ReadingConfig:
    """How names and tables of photos are read."""

    # A photo whose UTM fields and degrees are farther apart is rejected.
    max_disagreement_m: float = 100.0

    def __post_init__(self) -> None:
        check_range(self, "build.reading", 0, None, "max_disagreement_m")


DEFAULT_READING = ReadingConfig()
