"""Which part of its source a dataset is built of."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import check

# Lowest and highest value of each field.
_RANGES = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "utm_east": (-1e8, 1e8),
    "utm_north": (-1e8, 1e8),
    "heading_deg": (0.0, 360.0),
}
_TURNING = ("longitude", "heading_deg")


@dataclass(frozen=True)
class AreaConfig:
    """Photos of all splits that lie in a box and look one way; others are left out.

    Each field is null, for all, or two numbers between which the photos are, both
    included. Of several fields all must hold. Queries without positions stay.
    """

    latitude: list[float] | None = None  # degrees, southern and northern edge
    # Western and eastern edge, east of it: [179, -179] is a box of two degrees.
    longitude: list[float] | None = None
    # Metres in each photo's own zone, or local ones; utm_north likewise.
    utm_east: list[float] | None = None
    utm_north: list[float] | None = None
    # Clockwise from the first to the second: [315, 45] looks north. Photos of unknown
    # heading are left out.
    heading_deg: list[float] | None = None

    def __post_init__(self) -> None:
        for name, limits in self.limits.items():
            least, most = _RANGES[name]
            is_right = len(limits) == 2 and all(least <= x <= most for x in limits)
            expected = f"two numbers from {least:g} to {most:g}"
            if not self.turns(name):
                is_right = is_right and limits[0] < limits[1]
                expected += ", ascending"
            check(is_right, f"build.area.{name}", expected, limits)

    @property
    def limits(self) -> dict[str, list[float]]:
        """The fields that are not null; none for everything."""
        values = ((name, getattr(self, name)) for name in _RANGES)
        return {name: list(one) for name, one in values if one is not None}

    @staticmethod
    def turns(name: str) -> bool:
        """Whether a field is of degrees around a circle."""
        return name in _TURNING
