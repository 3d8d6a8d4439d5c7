"""`configs/course`: what the files change, and that their models can be built."""

import dataclasses
from pathlib import Path

import pytest

from vpr_tf.config import as_dict, load_config

FOLDER = Path(__file__).resolve().parents[3] / "configs" / "course"
DIRECTIONS = {
    "augmentation": {"train.augmentation.extra"},
    "optimizer": {
        "train.encoder_optimizer.name",
        "train.encoder_optimizer.learning_rate",
        "train.encoder_optimizer.arguments",
        "train.schedule",
    },
    "aggregation": {
        "encoder.aggregation",
        "encoder.last_stage",
        "encoder.descriptor_dim",
        "encoder.image_size",
    },
    "backbone": {"encoder.backbone", "encoder.train_from_stage"},
    "loss": {"train.head"},
    "pair_loss": {"train.objectives", "train.photos_per_class"},
    "adaptation": {
        "train.target",
        "train.objectives",
        "train.augmentation.extra",
    },
}
WHOLE = ("aggregation", "schedule", "head", "arguments", "extra")


def differences(one, other, path=""):
    """Yields the fields that differ; sections of methods as a whole."""
    for key in one.keys() | other.keys():
        left, right = one.get(key), other.get(key)
        name = f"{path}{key}"
        both = isinstance(left, dict) and isinstance(right, dict)
        if both and key not in WHOLE:
            yield from differences(left, right, f"{name}.")
        elif left != right:
            yield name


def test_base_is_the_course_experiment():
    config = load_config(FOLDER / "sf_xs.yaml")
    assert config.encoder.backbone == "ResNet18"
    assert config.encoder.aggregation.name == "gem"
    assert config.train.groups_num == 1
    optimizer = config.train.encoder_optimizer
    assert (optimizer.name, optimizer.learning_rate) == ("Adam", 1e-5)
    assert config.build.partition.images_kept_per_class == 10
    assert config.build.partition.min_images_per_class < 10


def test_tokyo_is_a_test_set_alone():
    config = load_config(FOLDER / "tokyo_xs.yaml")
    assert config.build.train is None
    assert config.build.val is None
    assert list(config.build.tests) == ["test"]
    assert config.evaluation.protocol == "tokyo_xs"


def test_each_direction_is_listed():
    names = {path.stem for path in FOLDER.glob("*.yaml")}
    assert names == {"sf_xs", "tokyo_xs", "miniature", *DIRECTIONS}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_direction_changes_only_what_it_says(name):
    base, config = (load_config(FOLDER / f"{n}.yaml") for n in ("sf_xs", name))
    assert config.name == f"course_{name}"
    config = dataclasses.replace(config, name=base.name)
    assert set(differences(as_dict(base), as_dict(config))) == DIRECTIONS[name]


@pytest.mark.parametrize("name", ["aggregation", "backbone"])
def test_encoder_of_a_direction_can_be_built(name):
    from vpr_tf.models import build_encoder

    config = load_config(FOLDER / f"{name}.yaml", ["encoder.weights=none"])
    model = build_encoder(config.encoder)
    assert model.output_shape == (None, 512)
