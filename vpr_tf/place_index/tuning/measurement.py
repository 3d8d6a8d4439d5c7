"""What was measured of one way to search."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

RECALL_VALUES = (1, 10, 20)


@dataclass(frozen=True)
class Measurement:
    """One search structure, searched with one setting.

    Attributes:
        kind: Of the index.
        settings: All settings, as `SearchIndex.build` takes them.
        label: What differs from other settings, for people.
        is_exact: Whether every true neighbour is found by definition.
        recalls: By N of `RECALL_VALUES`, the share of the true N nearest that are
            among the first N found.
        p50_ms: Median time of one query alone, on one thread where the index allows.
        p95_ms: Its 95th percentile.
        queries_per_s: Of batches on all cores, the fastest of many.
        memory_mib: Growth of the resident memory by opening and searching.
        size_mib: Of the search structure on disk, without the descriptors.
        build_s: Time of building.
        build_peak_mib: Growth of the peak resident memory by building.
    """

    kind: str
    settings: dict[str, Any]
    label: str
    is_exact: bool
    recalls: dict[int, float]
    p50_ms: float
    p95_ms: float
    queries_per_s: float
    memory_mib: float
    size_mib: float
    build_s: float
    build_peak_mib: float

    @property
    def name(self) -> str:
        """Kind and label."""
        return f"{self.kind} {self.label}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Returns all values, JSON-ready."""
        recalls = {str(n): share for n, share in self.recalls.items()}
        return {**dataclasses.asdict(self), "recalls": recalls}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Measurement:
        """Reverses `to_dict`."""
        recalls = {int(n): float(share) for n, share in values["recalls"].items()}
        return cls(**{**values, "recalls": recalls})


def settings_key(kind: str, settings: dict[str, Any]) -> str:
    """Returns a text that is equal when kind and settings are."""
    return json.dumps([kind, settings], sort_keys=True)


def fastest(
    measurements: list[Measurement], recall_at: int, min_recall: float
) -> Measurement | None:
    """Returns the most queries/s with enough recall; None if none has it."""
    enough = [one for one in measurements if one.recalls[recall_at] >= min_recall]
    return max(enough, key=lambda one: one.queries_per_s, default=None)
