"""What is passed on says nothing of the folders of whoever made it."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest

from vpr_tf.config import (
    EncoderConfig,
    EvaluationConfig,
    as_dict,
    config_from_values,
    config_yaml,
    load_config,
    save_config,
    shared_config,
)
from vpr_tf.export import export_encoder
from vpr_tf.extraction import load_extractor
from vpr_tf.extraction.model_source import EXPORTED_CONFIG, EXPORTED_SCORE
from vpr_tf.models import build_encoder
from vpr_tf.paths import shared_path
from vpr_tf.place_index import PlaceIndex

SECRET = "mistress_of_the_house"


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/home/me/city", "city"),
        ("../me/city", "city"),
        ("datasets/city", "datasets/city"),
        ("city", "city"),
        ("imagenet", "imagenet"),
        ("run:city", "run:city"),
        ("???", "???"),
        ("/", "/"),
    ],
)
def test_absolute_paths_are_shared_by_their_name(path, shared):
    assert shared_path(path) == shared


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """An experiment all of whose paths lie in a private folder."""
    home = tmp_path_factory.mktemp("home") / SECRET
    home.mkdir()
    values = {
        "name": "city",
        "runs_dir": f"{home}/runs",
        "savedmodels_dir": f"{home}/savedmodels",
        "dataset": {"path": f"{home}/dataset"},
        "build": {
            "source": f"{home}/photos",
            "train": f"{home}/train",
            "val": {"database": f"{home}/a", "queries": "val/queries"},
            "tests": {"t": {"database": f"{home}/c.csv", "queries": "q"}},
            "reading": {"delimiter": "/"},
        },
        "classification": {"model": f"{home}/runs/heads/1"},
        "evaluation": {
            "resize": "square",
            "image_size": 32,
            "index": "milvus",
            "milvus_uri": f"http://{SECRET}:19530",
        },
    }
    return home, config_from_values(values)


def holding_secret(folder):
    """Files that hold the secret, in their names or bytes."""
    return [
        path
        for path in folder.rglob("*")
        if SECRET in path.relative_to(folder).as_posix()
        or (path.is_file() and SECRET.encode() in path.read_bytes())
    ]


def test_shared_config_names_no_folder_and_no_address(config, tmp_path):
    _, own = config
    shared = shared_config(own)
    assert SECRET not in config_yaml(shared)
    assert shared.build.reading.delimiter == "/"
    assert shared.dataset.path == "dataset"
    assert shared.build.tests["t"].database == "c.csv"
    assert shared.evaluation.preprocessing == own.evaluation.preprocessing
    save_config(shared, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == shared
    assert shared_config(shared) == shared
    plain = config_from_values({"name": "a", "dataset": {"path": "d"}})
    assert as_dict(shared_config(plain)) == as_dict(plain)


@pytest.fixture(scope="module")
def models(config):
    """The same encoder as a run, a .keras file and a SavedModel, in that folder."""
    home, own = config
    keras.utils.set_random_seed(0)
    encoder = EncoderConfig("EfficientNetLite0", 8, weights="none", last_stage=0)
    own = dataclasses.replace(own, encoder=encoder)
    built = build_encoder(encoder)
    run = home / "runs" / "city" / "2026"
    (run / "best").mkdir(parents=True)
    built.save_weights(run / "best" / "encoder.weights.h5")
    save_config(own, run / "config.yaml")
    built.save(home / "city.keras")
    version = export_encoder(built, own, home / "savedmodels")
    old = shutil.copytree(version, home / "old" / "1")
    save_config(own, old / EXPORTED_CONFIG)  # as former versions wrote it
    (old / EXPORTED_SCORE).write_text(f'{{"run": "{run}"}}')
    return {"run": run, "keras": home / "city.keras", "export": version, "old": old}


def test_export_holds_no_path_of_its_maker(models):
    assert not holding_secret(models["export"])
    assert SECRET.encode() in (models["old"] / EXPORTED_CONFIG).read_bytes()


@pytest.mark.parametrize("name", ["run", "keras", "export", "old"])
def test_index_holds_no_path_of_its_maker(name, models, config):
    home, _ = config
    evaluation = EvaluationConfig(resize="square", image_size=32)
    extractor = load_extractor(evaluation, models[name])
    assert SECRET not in extractor.description
    folder = home / f"{name}.index"
    with PlaceIndex.create(
        folder,
        np.eye(3, 8),
        encoder=extractor,
        latitude=[37.7, 37.8, 37.9],
        longitude=[-122.5] * 3,
    ) as index:
        assert index.extractor().fingerprint == extractor.fingerprint
    assert not holding_secret(folder)
