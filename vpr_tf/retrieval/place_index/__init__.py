"""The movable index: one folder with descriptors, photos, search structure, encoder."""

from vpr_tf.retrieval.place_index.changes import (
    add_photos,
    remove_photos,
    set_localization,
)
from vpr_tf.retrieval.place_index.creation import create_place_index
from vpr_tf.retrieval.place_index.index_state import IndexState, Matches
from vpr_tf.retrieval.place_index.manifest import (
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
    RecallReport,
    read_manifest,
)
from vpr_tf.retrieval.place_index.merging import compact, set_settings
from vpr_tf.retrieval.place_index.next_state import ChangeReport
from vpr_tf.retrieval.place_index.place_index import PlaceIndex
from vpr_tf.retrieval.place_index.recall import measure_recall
from vpr_tf.retrieval.place_index.verification import VerificationReport, verify
from vpr_tf.retrieval.place_index.within import Within

__all__ = [
    "ChangeReport",
    "EncoderIdentity",
    "IndexManifest",
    "IndexState",
    "KeptClassifier",
    "Matches",
    "PlaceIndex",
    "RecallReport",
    "VerificationReport",
    "Within",
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
