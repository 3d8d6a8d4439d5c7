"""Whoever opens a SavedModel refuses one that writes a file: every command, the API."""

import ast
import shutil
from pathlib import Path

import numpy as np
import pytest

import vpr_tf as api
from tests.command_line import vpr
from tests.vpr_tf.classification.tiny_classifier import random_classifier, street_table
from tests.vpr_tf.cli.index.conftest import build, write_photos
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.extraction.hostile_models import save_model, writer_of
from vpr_tf.classification import SAVED_MODEL_FOLDER, save_heads
from vpr_tf.cli.commands import COMMANDS
from vpr_tf.extraction import EncoderError
from vpr_tf.place_index import PlaceIndex

CONFIG = """
name: tiny
dataset: {path: DATASET}
evaluation: {resize: square, image_size: 32, batch_size: 4}
"""
# Each opens a model, an index or heads; the words in capitals become paths.
OPENING = {
    "index build": "--index NEW --model HOSTILE --photos PHOTOS",
    "index build with classifier": "--index NEW --model GOOD --photos PHOTOS "
    "--config CONFIG --classifier HOSTILE",
    "index add": "--index INDEX --photos MORE",
    "index tune": "--index INDEX --query-photos PHOTOS",
    "index calibrate": "--index INDEX --config CONFIG --set val",
    "index calibrate with model": "--index GOOD_INDEX --config CONFIG --set val "
    "--model HOSTILE",
    "query": "--index INDEX PHOTO",
    "query with model": "--index GOOD_INDEX --model HOSTILE PHOTO",
    "localize": "--index INDEX PHOTO",
    "localize with model": "--index GOOD_INDEX --model HOSTILE PHOTO",
    "localize with classifier": "--classifier HOSTILE PHOTO",
    "evaluate": "--config CONFIG --model HOSTILE --set val",
    "evaluate with classification": "--config CONFIG --model HOSTILE "
    "--set val evaluation.method=classification",
    "evaluate with classifier": "--config CONFIG --model GOOD --set val "
    "classification.model=HOSTILE evaluation.method=narrowed",
    "export": "--config CONFIG --model HOSTILE --output NEW",
    "photos check": "PHOTOS --model HOSTILE --output NEW.csv",
    "whiten": "--config CONFIG --model HOSTILE --dim 2 --output NEW.keras",
    "adapt": "--config CONFIG --model HOSTILE --split val-queries --output NEW.keras",
}


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A dataset, photos, models and indexes; the hostile model writes `canary`."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile = save_model(folder / "HOSTILE", writer_of(folder / "canary"))
    heads = random_classifier(street_table(12, 2), 3)
    save_heads(heads, hostile / SAVED_MODEL_FOLDER)
    shutil.copy(model, folder / "GOOD.keras")
    shots = [Shot((20 * n, 90, 10), 25.0 * n) for n in range(6)]
    splits = ("train", "val-database", "val-queries")
    write_dataset(folder / "DATASET", dict.fromkeys(splits, shots))
    (folder / "CONFIG").write_text(CONFIG.replace("DATASET", str(folder / "DATASET")))
    write_photos(folder / "PHOTOS")
    (folder / "MORE").mkdir()
    shutil.copy(folder / "PHOTOS" / "1.png", folder / "MORE" / "new.png")
    shutil.copy(folder / "PHOTOS" / "0.png", folder / "PHOTO")
    assert build(model, folder / "PHOTOS", folder / "GOOD_INDEX") == 0
    trusted = ("--model", hostile, "--trust-model", "--photos", folder / "PHOTOS")
    assert vpr("index", "build", "--index", folder / "INDEX", *trusted) == 0
    # The option works, and the model does what is refused below.
    assert (folder / "canary").read_text() == "written"
    (folder / "canary").unlink()
    return folder


def words_of(case, folder, new):
    names = ("HOSTILE", "GOOD_INDEX", "INDEX", "PHOTOS", "PHOTO", "CONFIG", "MORE")
    places = {name: str(folder / name) for name in names}
    places |= {"GOOD": str(folder / "GOOD.keras"), "NEW": str(new / "NEW")}
    words = []
    for word in OPENING[case].split():
        start, equals, value = word.rpartition("=")
        stem, dot, suffix = value.partition(".")
        words.append(start + equals + places.get(stem, stem) + dot + suffix)
    return [*case.partition(" with ")[0].split(), *words]


@pytest.mark.parametrize("case", OPENING)
def test_no_command_runs_a_hostile_model(case, folder, tmp_path, capsys):
    assert vpr(*words_of(case, folder, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "the operation WriteFile" in error
    assert "pass --trust-model" in error
    assert "Traceback" not in error
    assert not (folder / "canary").exists()


def test_every_command_with_a_model_is_tried():
    tried = {case.partition(" with ")[0] for case in OPENING}
    folder = Path(api.__file__).parent / "cli"
    for name in COMMANDS:
        module = folder / f"{name.replace(' ', '/').replace('-', '_')}.py"
        assert ("add_model(parser" in module.read_text()) == (name in tried), name


@pytest.mark.parametrize(
    "open_it",
    [
        lambda folder: api.load_encoder(folder / "HOSTILE"),
        lambda folder: PlaceIndex.open(folder / "INDEX").extractor(),
        lambda folder: PlaceIndex.open(folder / "INDEX").localize([folder / "PHOTO"]),
        lambda folder: PlaceIndex.open(folder / "GOOD_INDEX").extractor(
            folder / "HOSTILE"
        ),
        lambda folder: api.evaluate(folder / "HOSTILE", folder / "DATASET", "val"),
    ],
)
def test_no_function_runs_a_hostile_model(open_it, folder):
    with pytest.raises(EncoderError, match="the operation WriteFile"):
        open_it(folder)
    assert not (folder / "canary").exists()


def test_program_trusts_a_model_by_saying_so(folder):
    with api.trusting_models():
        encoder = api.load_encoder(folder / "HOSTILE")
    encoder.extract([np.zeros((8, 8, 3))])
    assert (folder / "canary").exists()
    (folder / "canary").unlink()


def test_models_are_loaded_in_one_place():
    """Another call would go round the checks."""
    package = Path(api.__file__).parent
    calls = {
        "saved_model.load": {"extraction/saved_encoder.py"},
        "saving.load_model": set(),
        "models.load_model": set(),
        "TFSMLayer": set(),
    }
    for call, places in calls.items():
        found = {
            file.relative_to(package).as_posix()
            for file in package.rglob("*.py")
            if any(
                ast.unparse(node).endswith(call)
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.Attribute | ast.Name)
            )
        }
        assert found == places, call
