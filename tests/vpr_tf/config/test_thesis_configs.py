"""`configs/inr_thesis_*_sf_xl.yaml`: their encoders are those that were released."""

from pathlib import Path

import pytest

from vpr_tf.config import AGGREGATIONS, load_config
from vpr_tf.models.released import released_encoder

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
HEADS = (
    "soft_labels",
    "direct_regression",
    "unit_regression",
    "hypersphere_regression",
)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("resnet50", "cosplace_resnet50_2048"), ("megaloc", "megaloc")],
)
def test_the_encoder_is_the_released_one_and_stays_as_it_is(name, encoder):
    config = load_config(CONFIGS / f"inr_thesis_{name}_sf_xl.yaml")
    released = released_encoder(encoder)
    assert config.encoder.weights == encoder
    assert config.encoder.backbone == released.backbone
    assert config.encoder.descriptor_dim == released.descriptor_dim
    aggregation = AGGREGATIONS.create(**released.aggregation)
    assert config.encoder.aggregation == aggregation
    assert config.train.input == "descriptors"
    found, wanted = config.evaluation.preprocessing, released.preprocessing
    assert (found.resize, found.image_size) == (wanted.resize, wanted.image_size)


@pytest.mark.parametrize("head", HEADS)
def test_the_other_heads_of_the_thesis_are_an_override(head):
    path = CONFIGS / "inr_thesis_resnet50_sf_xl.yaml"
    config = load_config(path, [f"train.head.name={head}"])
    assert (config.train.head.name, config.train.head.hidden_layers) == (head, 3)
