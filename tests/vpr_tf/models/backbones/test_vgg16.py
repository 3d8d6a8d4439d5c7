import keras
import numpy as np
import pytest
from keras_hub.models import VGGBackbone

from vpr_tf.models import GeoLocalizationNet, load_weights


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    keras.utils.set_random_seed(5)
    network = VGGBackbone([2, 2, 3, 3, 3], [64, 128, 256, 512, 512])
    folder = tmp_path_factory.mktemp("vgg") / "preset"
    network.save_to_preset(str(folder))
    return network, folder


@pytest.fixture(scope="module")
def encoder(preset):
    model = GeoLocalizationNet("VGG16", 8, train_from_stage=4)
    load_weights(model, f"preset:{preset[1]}")
    return model


def test_preset_gives_the_features_of_its_backbone(preset, encoder):
    x = np.random.default_rng(0).random((1, 64, 96, 3), "float32")
    features = x
    for stage in encoder.stages:
        features = stage(features)
    assert float(np.min(features)) < 0  # no ReLU at the end
    pooled = keras.ops.max_pool(keras.ops.relu(features), 2)
    np.testing.assert_allclose(pooled, preset[0](x), rtol=1e-4, atol=1e-6)


def test_preset_fits_an_encoder_that_cuts_the_last_stages(preset, encoder):
    cut = GeoLocalizationNet("VGG16", 8, last_stage=2)
    load_weights(cut, f"preset:{preset[1]}")
    for ours, theirs in zip(cut.stages, encoder.stages, strict=False):
        np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])


def test_cosplace_trains_the_last_three_convolutions(encoder):
    names = {v.path.split("/")[-2] for v in encoder.stages[-1].weights}
    assert names == {"block5_conv1", "block5_conv2", "block5_conv3"}
    assert not any(stage.trainable_weights for stage in encoder.stages[:4])
