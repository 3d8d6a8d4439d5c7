"""Keras knows the classes of the project once `vpr_tf` is imported.

`keras.saving.load_model` needs the classes of a file to be registered, and a class is
registered when its module is imported, which imports TensorFlow. So what is registered
is a stand-in, when Keras has been imported by whoever needs it: it imports the class
when Keras asks for an object of it. The decorator of the class then takes its place.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from vpr_tf._after_import import after_import

PACKAGE = "vpr_tf"
_LAYERS = (
    "AggregationTokens",
    "AngularMarginHead",
    "ArithmeticMeanPooling2D",
    "AttentionPooling2D",
    "BagOfQueries",
    "BottleneckAdapter",
    "ClassToken",
    "CosineMarginHead",
    "CrossEntropyHead",
    "DirectRegressionHead",
    "EqualEarthProjection",
    "FourierFeatures",
    "FusedBatchNormalization",
    "GeneralizedMeanPooling2D",
    "GradientReversal",
    "HypersphereRegressionHead",
    "InterpolatedPositionEmbedding",
    "L2Normalization",
    "LayerScale",
    "LearnedTokens",
    "MaximumActivationPooling2D",
    "MixVPR",
    "MixtureOfVonMisesFisherHead",
    "NetVLAD",
    "RegionalMaximumPooling2D",
    "ResizeToPatchMultiples",
    "SequenceToTokens",
    "SoftLabelHead",
    "SuperVLAD",
    "TokensToSequence",
    "UnitRegressionHead",
)
# Registered name to the class.
CLASSES = {
    "GeoLocalizationNet": "models.GeoLocalizationNet",
    "FeatureMixer": "layers.mixvpr.FeatureMixer",
    "QueryBlock": "layers.bag_of_queries.QueryBlock",
    "OptimalTransportAggregation": "layers.SALAD",
    **{name: f"layers.{name}" for name in _LAYERS},
}


def register_when_keras_is_imported() -> None:
    """Registers the classes now, or at the end of the import of Keras."""
    after_import("keras", _register)


class _StandIn:
    """What Keras asks for an object of a class that is not imported yet."""

    def __init__(self, path: str) -> None:
        self._path = path

    def from_config(self, config: dict[str, Any]) -> Any:
        """Imports the class, which registers it, and makes an object of it."""
        module, _, name = self._path.rpartition(".")
        found = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
        return found.from_config(config)


def _register() -> None:
    saving = sys.modules["keras"].saving
    for name, path in CLASSES.items():
        if saving.get_registered_object(f"{PACKAGE}>{name}") is None:
            saving.register_keras_serializable(PACKAGE, name)(_StandIn(path))
