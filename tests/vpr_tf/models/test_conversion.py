import numpy as np
import pytest

from tests.golden.stand_in import stand_in_state_dict
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.conversion import natural_layout, set_encoder, verify_encoder
from vpr_tf.models.torch_weights.checkpoint import Checkpoint
from vpr_tf.models.torch_weights.state_dict import (
    MODEL_AND_AGGREGATOR,
    to_torch_state_dict,
)


@pytest.mark.parametrize(("backbone", "dim"), [("ResNet18", 32), ("VGG16", 64)])
def test_official_state_dict_and_back_is_bit_exact(official_shapes, backbone, dim):
    check_there_and_back(backbone, dim, official_shapes)


def test_official_efficientnet_and_back_is_bit_exact(reference):
    check_there_and_back("EfficientNet_B0", 512, reference.SHAPES)


def check_there_and_back(backbone, dim, shapes):
    official = stand_in_state_dict(shapes[f"{backbone}_{dim}"])
    model = GeoLocalizationNet(backbone, dim)
    set_encoder(model, Checkpoint(official))
    received = to_torch_state_dict(model, natural_layout(model))
    assert list(received) == list(official)
    for name, array in official.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        np.testing.assert_array_equal(received[name], array)


def test_mixvpr_and_back():
    options = {"aggregation": {"name": "mixvpr", "out_channels": 8}, "last_stage": 2}
    models = [
        GeoLocalizationNet("ResNet18", None, image_shape=(64, 64, 3), **options)
        for _ in range(2)
    ]
    state_dict = to_torch_state_dict(models[0], MODEL_AND_AGGREGATOR)
    assert "aggregator.mix.3.mix.1.weight" in state_dict
    assert "backbone.model.layer2.1.bn2.num_batches_tracked" in state_dict
    set_encoder(models[1], Checkpoint(state_dict))
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_descriptors_that_are_no_unit_vectors_are_refused():
    model = GeoLocalizationNet("ResNet18", 8)
    model.get_layer("projection").set_weights([np.zeros((512, 8)), np.zeros(8)])
    with pytest.raises(ValueError, match="must have the length 1"):
        verify_encoder(model)
