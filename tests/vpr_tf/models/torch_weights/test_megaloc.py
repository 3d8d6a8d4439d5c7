import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.torch_weights.state_dict import (
    MEGALOC,
    encoder_entries,
    load_torch_state_dict,
)


@pytest.fixture(scope="module")
def megaloc(reference):
    model = GeoLocalizationNet(
        "DINOv2_B14",
        8448,
        aggregation={"name": "optimal_transport", "cluster_dim": 256},
    )
    load_torch_state_dict(model, reference.reference_state_dict("MegaLoc", 8448))
    return model


@pytest.mark.parametrize(("height", "width"), [(322, 322), (224, 280)])
def test_megaloc_equals_official(golden_dir, reference, megaloc, height, width):
    golden = np.load(golden_dir / "network_MegaLoc_8448.npz")
    sides = (-(-side // 16) * 16 for side in (height, width))
    images = reference.reference_images(*sides)[:, :height, :width] / np.float32(255)
    features_and_descriptors = keras.Model(
        megaloc.input, [*megaloc.feature_extractor().output, megaloc.output]
    )
    patches, tokens, descriptors = features_and_descriptors(images)
    patches = patches.numpy().transpose(0, 3, 1, 2)[:, :8]
    size = f"{height}x{width}"
    for ours, official in (
        (patches, golden[f"patch_features_first_8_channels_{size}"]),
        (tokens[:, 0], golden[f"token_{size}"]),
        (descriptors, golden[f"descriptors_{size}"]),
    ):
        atol = 1e-4 * np.abs(official).max()
        np.testing.assert_allclose(ours, official, rtol=0, atol=atol)


def test_conversion_back_gives_the_state_dict(reference, megaloc):
    state_dict = reference.SHAPES["MegaLoc_8448"]
    received = {}
    for entry in encoder_entries(megaloc, MEGALOC):
        values = [variable.numpy() for variable in entry.variables]
        array = entry.to_torch(values)
        received[entry.key] = list(array.shape)
        if array.size < 1e6:
            expected = reference.reference_array(entry.key, state_dict[entry.key])
            np.testing.assert_array_equal(array, expected)
    assert received == state_dict
