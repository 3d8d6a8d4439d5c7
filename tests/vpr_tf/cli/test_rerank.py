"""Photos compared with their candidates, from the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import vpr
from tests.vpr_tf.evaluation.tiny_dataset import (
    EAST_CM,
    NORTH_CM,
    write_dataset,
)
from tests.vpr_tf.matching.streets import SameEncoder, street, streets
from tests.vpr_tf.place_index.samples import manifest_of
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.place_index import EncoderIdentity, PlaceIndex

NUM_PLACES = 8
SIFT = (
    "localization.rerank.matcher=sift",
    "localization.rerank.candidates=8",
    "localization.rerank.confidence=0.9",
)


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Path:
    """A dataset, a folder of its photos, queries, and an index of the photos."""
    folder = tmp_path_factory.mktemp("city")
    database = streets(NUM_PLACES, step=0)
    queries = streets(NUM_PLACES, step=20, east_m=3.0)
    write_dataset(
        folder / "dataset", {"val-database": database, "val-queries": queries}
    )
    for name, split in (("photos", database), ("trip", queries)):
        (folder / name).mkdir()
        for shot in split:
            (folder / name / shot.key).write_bytes(shot.encode(0))
    (folder / "city.yaml").write_text(
        f"name: city\nruns_dir: {folder / 'runs'}\n"
        f"dataset: {{path: {folder / 'dataset'}}}\n"
        "localization: {num_predictions: 8, wanted_precision: 0.8}\n"
    )
    images = [street(seed, 200) for seed in range(NUM_PLACES)]
    identity = EncoderIdentity("same", "same", 3, Preprocessing())
    PlaceIndex.create(
        folder / "index",
        FeatureExtractor(SameEncoder()).extract(images),
        encoder=identity,
        keys=[shot.key for shot in database],
        utm_east=[EAST_CM / 100 + shot.east_m for shot in database],
        utm_north=[NORTH_CM / 100] * NUM_PLACES,
        utm_zone=[10] * NUM_PLACES,
    )
    return folder


@pytest.fixture(autouse=True)
def stored_encoder(monkeypatch):
    def open_encoder(folder, manifest, model=None, *, of_queries=False):
        return FeatureExtractor(SameEncoder())

    monkeypatch.setattr("vpr_tf.place_index.index_encoder.open_encoder", open_encoder)


def localize(capsys, city, *words):
    status = vpr("localize", "--index", city / "index", city / "trip", *words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_reranked_photos_lie_where_their_key_points_are(capsys, city):
    words = ("--rerank", "always", "--matcher", "sift", "--json")
    status, out, _ = localize(capsys, city, *words, "--photos-root", city / "photos")
    assert status == 0
    content = json.loads(out)
    found = content["localizations"]
    assert [one["matches"][0]["key"] for one in found] == [
        f"{seed}.png" for seed in range(NUM_PLACES)
    ]
    assert all(one["reranked"] for one in found)
    assert min(one["matches"][0]["inliers"] for one in found) > 30
    assert content["notes"][-1] == (
        "Re-ranked by sift, 1024 points, 640 px: 8 of 8 photos."
    )
    _, out, _ = localize(capsys, city, "--json")
    first = json.loads(out)["localizations"]
    assert not any(one["reranked"] for one in first)
    assert {one["matches"][0]["key"] for one in first} == {"0.png"}


def test_a_calibration_with_reranking_is_stored_and_used(capsys, city):
    words = ("--index", city / "index", "--config", city / "city.yaml")
    when = ("localization.rerank.when=below_confidence", *SIFT)
    try:
        assert vpr("index", "calibrate", *words, *when) == 0
        out = capsys.readouterr().out
        assert "Re-ranked candidates: Calibrated (isotonic) on val of city: 8 " in out
        manifest = manifest_of(city / "index")
        settings = manifest.localization["settings"]
        assert settings["rerank"]["when"] == "below_confidence"
        assert manifest.localization["reranked"]["num_right"] == NUM_PLACES
        status, out, _ = localize(capsys, city)
        assert status == 0
        assert "none was. Pass --photos-root DIR, or --rerank never." in out
        words = ("--photos-root", city / "photos", "--json")
        status, out, _ = localize(capsys, city, *words)
        found = json.loads(out)["localizations"]
        assert all(one["reranked"] for one in found)
        assert all(one["confidence"] > 0.5 for one in found)
        assert [one["matches"][0]["key"] for one in found][3] == "3.png"
        (city / "photos/3.png").rename(city / "photos/gone.png")
        _, out, _ = localize(capsys, city, "--photos-root", city / "photos")
        assert (
            "the candidate 3.png cannot be read: it is not in the folder of photos"
            in out
        )
        assert ": 7 of 8 photos." in out
    finally:
        if (city / "photos/gone.png").exists():
            (city / "photos/gone.png").rename(city / "photos/3.png")
        PlaceIndex(city / "index").set_localization(None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rerank", "always"], "key points. Pass --photos-root DIR"),
        (["--rerank", "sometimes"], "argument --rerank: invalid choice"),
        (["--matcher", "sift"], "--matcher is of re-ranking, and nothing is re-ranked"),
        (["--photos-root", "."], "--photos-root is of re-ranking, and nothing is"),
        (["--rerank", "always", "--photos-root", "gone"], "no folder at gone"),
        (["--rerank", "always", "--matcher-weights", "gone"], "gone"),
    ],
)
def test_wrong_options_are_one_error(capsys, city, words, message):
    status, out, err = localize(capsys, city, *words)
    assert (status, out) == (2, "")
    assert message in err


def test_weights_that_are_missing_or_damaged(capsys, city, tmp_path):
    words = ["--rerank", "always", "--photos-root", city / "photos"]
    status, _, err = localize(capsys, city, *words)
    assert status == 2
    assert "xfeat needs its weights: pass `--matcher-weights FILE`" in err
    damaged = tmp_path / "xfeat.weights.h5"
    damaged.write_bytes(np.random.default_rng(0).bytes(5000))
    status, _, err = localize(capsys, city, *words, "--matcher-weights", damaged)
    assert status == 2
    assert "xfeat.weights.h5 must be an HDF5 file" in err
    words += ["--matcher", "sift", "--matcher-weights", damaged]
    status, _, err = localize(capsys, city, *words)
    assert status == 2
    assert "`localization.rerank.weights` must be null with the matcher sift" in err


def test_without_opencv(capsys, city, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    words = ("--rerank", "always", "--matcher", "sift")
    status, out, err = localize(capsys, city, *words, "--photos-root", city / "photos")
    assert (status, out) == (2, "")
    assert "pip install 'vpr_tf[rerank]'" in err


def test_a_classifier_has_no_photos_to_compare_with(capsys, city):
    words = ("--classifier", city, "--rerank", "always", city / "trip")
    assert vpr("localize", *words) == 2
    assert "pass --index DIR" in capsys.readouterr().err
