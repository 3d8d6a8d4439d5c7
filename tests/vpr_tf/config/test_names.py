"""Names, stages and options of the config are those of what it configures."""

import inspect

import keras

from vpr_tf.config import AGGREGATIONS, BACKBONE_STAGES, KERAS_OPTIMIZERS
from vpr_tf.config.encoder import FIXED_SIZE_AGGREGATIONS
from vpr_tf.models.aggregations import AGGREGATION_NAMES, aggregation_spec
from vpr_tf.models.backbones import BACKBONE_NAMES, backbone_spec

NO_OPTIMIZERS = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}


def test_backbones_and_their_stages():
    assert set(BACKBONE_STAGES) == set(BACKBONE_NAMES)
    for name, num_stages in BACKBONE_STAGES.items():
        assert num_stages == backbone_spec(name).num_stages, name


def test_aggregations_and_their_options():
    assert set(AGGREGATIONS.classes) == set(AGGREGATION_NAMES)
    for name in AGGREGATION_NAMES:
        spec, config = aggregation_spec(name), AGGREGATIONS.create(name=name)
        assert config.normalize_features == spec.normalize_features, name
        assert spec.fixed_size == (name in FIXED_SIZE_AGGREGATIONS)
        layer = spec.layer
        has_own = "__init__" in vars(layer)
        parameters = inspect.signature(layer.__init__).parameters if has_own else {}
        defaults = {
            option.name: option.default
            for option in parameters.values()
            if option.name != "self" and option.kind is not option.VAR_KEYWORD
        }
        ours = vars(config).copy()
        del ours["name"], ours["normalize_features"]
        assert ours == defaults, name


def test_optimizers():
    names = {
        name
        for name, value in vars(keras.optimizers).items()
        if inspect.isclass(value) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert set(KERAS_OPTIMIZERS) == names - NO_OPTIMIZERS
