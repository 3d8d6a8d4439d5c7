"""City-scale visual place recognition with TensorFlow and Keras.

`import vpr_tf as vpr` gives, each loaded when it is first used:

    vpr.load_encoder, vpr.GeoLocalizationNet, vpr.FeatureExtractor
    vpr.PlaceIndex, vpr.GeoCLIP
    vpr.evaluate, vpr.train, vpr.load_config, vpr.trusting_models,
    vpr.using_engine, vpr.using_cluster
    vpr.layers, vpr.losses, vpr.models

Keras loads files with layers and encoders of the project from then on.
"""

import os
from typing import TYPE_CHECKING

from vpr_tf._keras_registration import register_when_keras_is_imported
from vpr_tf._lazy import lazy_names
from vpr_tf._tensorflow_lines import hide_tensorflow_lines

if TYPE_CHECKING:
    from vpr_tf import layers, losses, models
    from vpr_tf.api import load_encoder
    from vpr_tf.cluster.connection import using_cluster
    from vpr_tf.config import load_config
    from vpr_tf.engine_choice import using_engine
    from vpr_tf.evaluation import evaluate
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.models import GeoCLIP, GeoLocalizationNet
    from vpr_tf.place_index import PlaceIndex
    from vpr_tf.training.train import train
    from vpr_tf.trusted_models import trusting_models

__version__ = "0.2.0"
__all__ = [
    "FeatureExtractor",
    "GeoCLIP",
    "GeoLocalizationNet",
    "PlaceIndex",
    "evaluate",
    "layers",
    "load_config",
    "load_encoder",
    "losses",
    "models",
    "train",
    "trusting_models",
    "using_cluster",
    "using_engine",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FeatureExtractor": "vpr_tf.extraction",
        "GeoCLIP": "vpr_tf.models",
        "GeoLocalizationNet": "vpr_tf.models",
        "PlaceIndex": "vpr_tf.place_index",
        "evaluate": "vpr_tf.evaluation",
        "layers": "vpr_tf.layers",
        "load_config": "vpr_tf.config",
        "load_encoder": "vpr_tf.api",
        "losses": "vpr_tf.losses",
        "models": "vpr_tf.models",
        "train": "vpr_tf.training.train",
        "trusting_models": "vpr_tf.trusted_models",
        "using_cluster": "vpr_tf.cluster.connection",
        "using_engine": "vpr_tf.engine_choice",
    },
)

hide_tensorflow_lines()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # read when Keras is imported
register_when_keras_is_imported()
