"""Indexes that keep a classifier, from the command line."""

import json
from pathlib import Path

import keras
import numpy as np

from tests.command_line import on_index as run
from tests.vpr_tf.cli.index.conftest import CONFIG, build
from tests.vpr_tf.place_index.samples import manifest_of
from vpr_tf.classification import (
    ClassTable,
    GridCells,
    GroupHead,
    PlaceClassifier,
    save_heads,
)
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.place_index import PlaceIndex

_ENCODER = """
encoder: {backbone: EfficientNetLite0, descriptor_dim: 8, last_stage: 0, weights: none}
"""
_CELL_M = 20


def write_run(folder: Path, encoder, index: Path) -> Path:
    """A run whose classes are the photos of an index, a cell each."""
    (folder / "best").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG + _ENCODER)
    encoder.save_weights(folder / "best" / "encoder.weights.h5")
    with PlaceIndex.open(index) as opened:
        positions = opened.photos.positions
    rows = np.arange(len(positions))
    prototypes = np.random.default_rng(0).normal(size=(8, len(rows)))
    cells = GridCells(
        _CELL_M,
        positions.utm_zone.astype(np.int64),
        positions.utm_east_cm // (100 * _CELL_M),
        positions.utm_north_cm // (100 * _CELL_M),
    )
    table = ClassTable(
        positions.take(rows),
        np.full(len(rows), -1.0),
        rows[:, None].astype(np.int32),
        rows,
        cells,
        "own_group",
    )
    head = GroupHead("cosine", prototypes.astype(np.float32))
    save_heads(PlaceClassifier(table, (head,)), folder / "best" / "classifier")
    return folder


def found(capsys, *arguments):
    assert run("query", *arguments, "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    return [match["key"] for match in answer["matches"]]


def test_another_encoder_of_the_heads_is_kept(model, built, tmp_path, capsys):
    keras.utils.set_random_seed(7)
    other = GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0)
    heads = write_run(tmp_path / "run", other, built / "city.index")
    index = tmp_path / "city.index"
    told = ["--classifier", str(heads), "classification.num_cells=4"]
    capsys.readouterr()
    assert build(model, built / "photos", index, *told) == 0
    assert "with an encoder of its own" in capsys.readouterr().out
    kept = manifest_of(index).classifier
    assert kept.encoder.file == "classifier/encoder/encoder.keras"
    assert kept.encoder.fingerprint != manifest_of(index).encoder.fingerprint
    photo = built / "photos" / "3.png"
    assert len(found(capsys, index, photo)) == 4
    (index / "classifier" / "encoder" / "encoder.keras").write_bytes(b"")
    assert run("query", index, photo) == 2
    assert "encoder.keras is damaged" in capsys.readouterr().err


def test_a_model_without_heads_is_refused(model, built, tmp_path, capsys):
    told = ["--classifier", str(tmp_path)]
    assert build(model, built / "photos", tmp_path / "city.index", *told) == 2
    assert "keeps no heads" in capsys.readouterr().err
    assert not (tmp_path / "city.index").exists()
