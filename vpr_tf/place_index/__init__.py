"""The movable index: one folder with descriptors, photos, search structure, encoder."""

from vpr_tf.geo import GeoCircle
from vpr_tf.place_index.index_state import IndexState, Matches
from vpr_tf.place_index.kept_features import PhotoFeatures
from vpr_tf.place_index.local_extraction import extract_local_features
from vpr_tf.place_index.manifest import (
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
    KeptLocalFeatures,
    RecallReport,
)
from vpr_tf.place_index.photo_arguments import PhotoColumns
from vpr_tf.place_index.place_index import PlaceIndex
from vpr_tf.place_index.reranking import Reranking
from vpr_tf.place_index.signature import Signature, SignatureError
from vpr_tf.place_index.signing_keys import PassphraseError, SigningKeyError
from vpr_tf.place_index.verification import VerificationReport

__all__ = [
    "EncoderIdentity",
    "GeoCircle",
    "IndexManifest",
    "IndexState",
    "KeptClassifier",
    "KeptLocalFeatures",
    "Matches",
    "PassphraseError",
    "PhotoColumns",
    "PhotoFeatures",
    "PlaceIndex",
    "RecallReport",
    "Reranking",
    "Signature",
    "SignatureError",
    "SigningKeyError",
    "VerificationReport",
    "extract_local_features",
]
