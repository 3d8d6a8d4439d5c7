"""Positions on the earth: UTM, latitude and longitude, distances, circles, planes."""

from vpr_tf.geo import ecef
from vpr_tf.geo.circle import GeoCircle
from vpr_tf.geo.earth import (
    LOCAL_ZONE,
    UNKNOWN_HEADING_DEG,
    UNKNOWN_ZONE,
    extent_deg,
    wrap_degrees,
)
from vpr_tf.geo.headings import (
    HEADING_RULE,
    bearings_deg,
    constant_heading_text,
    heading_differences_deg,
    normalized_headings,
)
from vpr_tf.geo.local_plane import LocalPlane, cities
from vpr_tf.geo.map_frame import MapFrame
from vpr_tf.geo.nearest import nearest_m
from vpr_tf.geo.position_rules import (
    contradictions,
    half_known,
    lat_lon_problem,
    lat_lon_problems,
    utm_problems,
)
from vpr_tf.geo.positions import Positions, distances_m, local_text
from vpr_tf.geo.utm import (
    NORTHERN_LIMIT_DEG,
    SOUTHERN_LIMIT_DEG,
    is_northern_band,
    lat_lon_to_utm,
    parse_zone,
    parse_zone_and_band,
    utm_to_lat_lon,
    utm_zones,
)

__all__ = [
    "HEADING_RULE",
    "LOCAL_ZONE",
    "NORTHERN_LIMIT_DEG",
    "SOUTHERN_LIMIT_DEG",
    "UNKNOWN_HEADING_DEG",
    "UNKNOWN_ZONE",
    "GeoCircle",
    "LocalPlane",
    "MapFrame",
    "Positions",
    "bearings_deg",
    "cities",
    "constant_heading_text",
    "contradictions",
    "distances_m",
    "ecef",
    "extent_deg",
    "half_known",
    "heading_differences_deg",
    "is_northern_band",
    "lat_lon_problem",
    "lat_lon_problems",
    "lat_lon_to_utm",
    "local_text",
    "nearest_m",
    "normalized_headings",
    "parse_zone",
    "parse_zone_and_band",
    "utm_problems",
    "utm_to_lat_lon",
    "utm_zones",
    "wrap_degrees",
]
