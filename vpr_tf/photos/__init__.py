"""Photos: what is known of them, where they are found, what is wrong with them."""

from vpr_tf.photos.clock import clock_seconds
from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
from vpr_tf.photos.image_headers import (
    image_header_of,
    read_header_by,
    read_image_header,
)
from vpr_tf.photos.metadata import parse_timestamp
from vpr_tf.photos.photo_folder import (
    check_rejected_fraction,
    named_numbers,
    scan_named_photos,
    scan_photos,
)
from vpr_tf.photos.photo_table import (
    DROPPED_SHOWN,
    PhotoFiles,
    PhotoTable,
    RejectedPhoto,
    dropped_text,
)
from vpr_tf.photos.scan import PhotoSource
from vpr_tf.photos.sf_xl_names import format_image_name, parse_image_name

__all__ = [
    "DROPPED_SHOWN",
    "InvalidEntryError",
    "PhotoFiles",
    "PhotoSource",
    "PhotoSourceError",
    "PhotoTable",
    "RejectedPhoto",
    "check_rejected_fraction",
    "clock_seconds",
    "dropped_text",
    "format_image_name",
    "image_header_of",
    "named_numbers",
    "parse_image_name",
    "parse_timestamp",
    "read_header_by",
    "read_image_header",
    "scan_named_photos",
    "scan_photos",
]
