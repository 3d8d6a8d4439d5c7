"""The movable index: one folder with descriptors, photos, search structure, encoder."""

from vpr_tf.geo import GeoCircle
from vpr_tf.place_index.changes import (
    add_photos,
    remove_photos,
    set_localization,
)
from vpr_tf.place_index.creation import create_place_index
from vpr_tf.place_index.index_state import IndexState, Matches
from vpr_tf.place_index.manifest import (
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
    RecallReport,
    read_manifest,
)
from vpr_tf.place_index.merging import compact, set_settings
from vpr_tf.place_index.next_state import ChangeReport
from vpr_tf.place_index.place_index import PlaceIndex
from vpr_tf.place_index.recall import measure_recall
from vpr_tf.place_index.verification import VerificationReport, verify

__all__ = [
    "ChangeReport",
    "EncoderIdentity",
    "GeoCircle",
    "IndexManifest",
    "IndexState",
    "KeptClassifier",
    "Matches",
    "PlaceIndex",
    "RecallReport",
    "VerificationReport",
    "add_photos",
    "compact",
    "create_place_index",
    "measure_recall",
    "read_manifest",
    "remove_photos",
    "set_localization",
    "set_settings",
    "verify",
]
