"""Positions on the earth: UTM, latitude and longitude, distances, circles, planes."""

from vpr_tf.geo.circle import GeoCircle
from vpr_tf.geo.ecef import latitude_longitude_deg, points_at, points_of
from vpr_tf.geo.local_plane import LocalPlane, cities
from vpr_tf.geo.map_frame import MapFrame
from vpr_tf.geo.positions import UNKNOWN_ZONE, Positions, distances_m
from vpr_tf.geo.utm import (
    is_northern_band,
    lat_lon_to_utm,
    parse_zone,
    utm_to_lat_lon,
    utm_zones,
)

__all__ = [
    "UNKNOWN_ZONE",
    "GeoCircle",
    "LocalPlane",
    "MapFrame",
    "Positions",
    "cities",
    "distances_m",
    "is_northern_band",
    "lat_lon_to_utm",
    "latitude_longitude_deg",
    "parse_zone",
    "points_at",
    "points_of",
    "utm_to_lat_lon",
    "utm_zones",
]
