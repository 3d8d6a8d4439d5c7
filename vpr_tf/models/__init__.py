"""Encoders: an image to a descriptor."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.models.batch_norm_statistics import batch_norms, set_statistics
    from vpr_tf.models.cluster_initialization import initialize_clusters, needs_clusters
    from vpr_tf.models.encoder_builder import (
        build_encoder,
        finished_run,
        load_weights,
        read_keras_file,
        with_run_weights,
    )
    from vpr_tf.models.fingerprint import encoder_fingerprint
    from vpr_tf.models.geoclip import GeoCLIP, location_encoder
    from vpr_tf.models.geolocalization_net import GeoLocalizationNet
    from vpr_tf.models.lora import build_with_lora, merged_weights
    from vpr_tf.models.onnx_conversion import to_onnx
    from vpr_tf.models.precision import in_precision
    from vpr_tf.models.pretrained import build_released
    from vpr_tf.models.released import (
        ReleasedEncoder,
        released_encoder,
        released_names,
    )

__all__ = [
    "GeoCLIP",
    "GeoLocalizationNet",
    "ReleasedEncoder",
    "batch_norms",
    "build_encoder",
    "build_released",
    "build_with_lora",
    "encoder_fingerprint",
    "finished_run",
    "in_precision",
    "initialize_clusters",
    "load_weights",
    "location_encoder",
    "merged_weights",
    "needs_clusters",
    "read_keras_file",
    "released_encoder",
    "released_names",
    "set_statistics",
    "to_onnx",
    "with_run_weights",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GeoCLIP": "vpr_tf.models.geoclip",
        "GeoLocalizationNet": "vpr_tf.models.geolocalization_net",
        "ReleasedEncoder": "vpr_tf.models.released",
        "batch_norms": "vpr_tf.models.batch_norm_statistics",
        "build_encoder": "vpr_tf.models.encoder_builder",
        "build_released": "vpr_tf.models.pretrained",
        "build_with_lora": "vpr_tf.models.lora",
        "encoder_fingerprint": "vpr_tf.models.fingerprint",
        "finished_run": "vpr_tf.models.encoder_builder",
        "in_precision": "vpr_tf.models.precision",
        "initialize_clusters": "vpr_tf.models.cluster_initialization",
        "load_weights": "vpr_tf.models.encoder_builder",
        "location_encoder": "vpr_tf.models.geoclip",
        "merged_weights": "vpr_tf.models.lora",
        "needs_clusters": "vpr_tf.models.cluster_initialization",
        "read_keras_file": "vpr_tf.models.encoder_builder",
        "released_encoder": "vpr_tf.models.released",
        "released_names": "vpr_tf.models.released",
        "set_statistics": "vpr_tf.models.batch_norm_statistics",
        "to_onnx": "vpr_tf.models.onnx_conversion",
        "with_run_weights": "vpr_tf.models.encoder_builder",
    },
)
