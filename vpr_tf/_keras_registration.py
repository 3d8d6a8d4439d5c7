"""Keras knows the classes of the project once `vpr_tf` is imported.

`keras.saving.load_model` needs the classes of a file to be registered, and a class is
registered when its module is imported, which imports TensorFlow. So what is registered
is a stand-in, when Keras has been imported by whoever needs it: it imports the class
when Keras asks for an object of it. The decorator of the class then takes its place.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "vpr_tf"
_LAYERS = (
    "AngularMarginHead",
    "ArithmeticMeanPooling2D",
    "AttentionPooling2D",
    "ClassToken",
    "CosineMarginHead",
    "CrossEntropyHead",
    "DirectRegressionHead",
    "FusedBatchNormalization",
    "GeneralizedMeanPooling2D",
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
    "TokensToSequence",
)
# Registered name to the class.
CLASSES = {
    "GeoLocalizationNet": "models.GeoLocalizationNet",
    "FeatureMixer": "layers.mixvpr.FeatureMixer",
    "OptimalTransportAggregation": "layers.SALAD",
    **{name: f"layers.{name}" for name in _LAYERS},
}


def register_when_keras_is_imported() -> None:
    """Registers the classes now, or at the end of the import of Keras."""
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasFinder())


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


class _KerasFinder(importlib.abc.MetaPathFinder):
    """Finds Keras as the others do, and sees when it has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of Keras, with a loader that registers afterwards."""
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _KerasLoader(spec.loader)
        return spec


class _KerasLoader(importlib.abc.Loader):
    """Loads Keras as another loader does, and registers afterwards."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `Loader`."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _register()
