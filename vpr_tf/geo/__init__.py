"""Positions on the earth: UTM, latitude and longitude, distances, circles, planes."""

from vpr_tf.geo import ecef
from vpr_tf.geo.circle import GeoCircle
from vpr_tf.geo.earth import (
    UNKNOWN_HEADING_DEG,
    UNKNOWN_ZONE,
    heading_differences_deg,
    wrap_degrees,
)
from vpr_tf.geo.local_plane import LocalPlane, cities
from vpr_tf.geo.map_frame import MapFrame
from vpr_tf.geo.positions import Positions, distances_m
from vpr_tf.geo.utm import (
    NORTHERN_LIMIT_DEG,
    SOUTHERN_LIMIT_DEG,
    is_northern_band,
    lat_lon_to_utm,
    parse_zone,
    utm_to_lat_lon,
    utm_zones,
)

__all__ = [
    "NORTHERN_LIMIT_DEG",
    "SOUTHERN_LIMIT_DEG",
    "UNKNOWN_HEADING_DEG",
    "UNKNOWN_ZONE",
    "GeoCircle",
    "LocalPlane",
    "MapFrame",
    "Positions",
    "cities",
    "distances_m",
    "ecef",
    "heading_differences_deg",
    "is_northern_band",
    "lat_lon_to_utm",
    "parse_zone",
    "utm_to_lat_lon",
    "utm_zones",
    "wrap_degrees",
]
