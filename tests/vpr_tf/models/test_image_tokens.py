import keras
import numpy as np
import pytest

from vpr_tf.config import AGGREGATIONS, ConfigError, EncoderConfig
from vpr_tf.models import GeoLocalizationNet, backbones
from vpr_tf.models.backbones import dinov2
from vpr_tf.models.torch_weights.state_dict import IMAGE, encoder_entries

TOKENS = {"name": "aggregation_tokens"}


@pytest.mark.parametrize("size", ["98x98", "56x84"])
def test_values_equal_the_official_network(golden_dir, monkeypatch, size):
    golden = np.load(golden_dir / "research" / "image_tokens.npz")
    monkeypatch.setattr(dinov2, "_GRID_SIZE", 7)
    dims = dinov2.DINOv2Size("tiny", 4, 48, 3)
    spec = dinov2.dinov2_spec_of_size("Golden", dims, 4)
    monkeypatch.setitem(backbones._SPECS, "Golden", lambda: spec)
    tokens = {"name": "aggregation_tokens", "num_tokens": 8, "before_block": 2}
    model = GeoLocalizationNet("Golden", None, aggregation=tokens)
    for entry in encoder_entries(model, IMAGE):
        own = entry.key == "learnable_aggregation_tokens"
        name = "state/" + entry.key.removeprefix("backbone.")
        array = golden["aggregation_tokens" if own else name]
        for variable, value in zip(entry.variables, entry.to_keras(array), strict=True):
            variable.assign(value)
    # The golden images are standardised already.
    images = golden[f"images_nchw_{size}"].transpose(0, 2, 3, 1)
    images = images * np.array(spec.std, "f4") + np.array(spec.mean, "f4")
    expected = golden[f"descriptors_{size}"]
    np.testing.assert_allclose(model(images), expected, atol=1e-6)
    keras.backend.clear_session()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"aggregation_tokens needs .*ResNet18 is a"):
        GeoLocalizationNet("ResNet18", None, aggregation="aggregation_tokens")
    late = {"name": "aggregation_tokens", "before_block": 12}
    with pytest.raises(ValueError, match=r"`before_block` .*DINOv2_S14, 0 to 11.*12"):
        GeoLocalizationNet("DINOv2_S14", None, aggregation=late)
    for values, message in (
        ({"backbone": "ResNet18"}, r"encoder\.backbone.*a transformer.*ResNet18"),
        ({"last_stage": 8}, r"before_block.*0 to 7.*8"),
        ({"train_from_stage": 10}, r"train_from_stage.*at most 9.*10"),
    ):
        fields = {"backbone": "DINOv2_B14_reg4", **values}
        with pytest.raises(ConfigError, match=message):
            EncoderConfig(aggregation=AGGREGATIONS.create(**TOKENS), **fields)
