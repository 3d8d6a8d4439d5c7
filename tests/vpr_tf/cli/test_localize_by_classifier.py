"""`vpr localize --classifier` and the calibration of a run, as a user has them."""

import json

import numpy as np
import pytest

from tests.command_line import vpr
from tests.vpr_tf.classification.tiny_classifier import street_table
from tests.vpr_tf.evaluation.tiny_dataset import (
    MeanColourEncoder,
    Shot,
    write_dataset,
)
from tests.vpr_tf.photos.photo_writer import write_photo
from vpr_tf.classification import (
    ClassifierLocalizer,
    GroupHead,
    PlaceClassifier,
    load_calibration,
    save_heads,
)
from vpr_tf.extraction import FeatureExtractor

# Ten places 60 m apart in turn of two groups; their colours go from red to green.
NUM_PLACES, APART_M = 10, 60


def colour_of(place):
    return (220 - 20 * place, 30 + 20 * place, 60)


def unit(colours):
    rows = np.asarray(colours, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """A run whose heads know the colour of each place."""
    table = street_table(NUM_PLACES, 2, apart=3)
    place_m = table.positions.utm_east_cm - table.positions.utm_east_cm.min()
    colours = unit([colour_of(round(m / 100 / APART_M)) for m in place_m])
    heads = tuple(
        GroupHead("cosine", colours[places].T, scale=50.0)
        for places in table.places_of_groups
    )
    folder = tmp_path / "runs" / "town"
    save_heads(PlaceClassifier(table, heads), folder / "best" / "classifier")
    write_config(folder / "config.yaml", tmp_path)

    def load_extractor(config=None, model=None):
        assert str(model).endswith("town")
        return FeatureExtractor(MeanColourEncoder(), description="colour")

    for module in ("extraction", "extraction.model_loading", "evaluation.calibrate"):
        monkeypatch.setattr(f"vpr_tf.{module}.load_extractor", load_extractor)
    return folder


def write_config(path, folder):
    path.write_text(
        f"name: town\nruns_dir: {folder / 'runs'}\n"
        f"dataset: {{path: {folder / 'dataset'}}}\n"
        "evaluation: {method: classification}\n"
        "localization: {wanted_precision: 0.8}\n"
    )


def write_val(folder, num_queries=24):
    queries = [
        # The last of each five is elsewhere than it looks.
        Shot(colour_of(i % 10), east_m=APART_M * (i % 10) + 8 + 120 * (i % 5 == 4))
        for i in range(num_queries)
    ]
    write_dataset(folder / "dataset", {"val-database": [], "val-queries": queries})


@pytest.fixture
def photos(tmp_path):
    for place in (0, 7):
        write_photo(tmp_path / "trip" / f"{place}.jpg", colour_of(place))
    return tmp_path / "trip"


def run(capsys, *arguments):
    status = vpr("localize", *arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_photos_are_localized_by_heads(capsys, run_folder, photos):
    status, out, err = run(capsys, "--classifier", run_folder, photos)
    assert (status, err) == (0, "")
    header, first, second, _, note = out.splitlines()
    assert header.split("  ")[-1] == "groups that agree"
    assert "  37.7" in first
    assert first.endswith("1 of 2")  # the next place, 60 m off, is the other group's
    assert first.split()[2] != second.split()[2]
    assert note.startswith("Not calibrated")
    # The folder of the heads is enough where it lies in its run.
    again = run(capsys, "--classifier", run_folder / "best" / "classifier", photos)
    assert again[1] == out


def test_calibrated_heads_say_how_sure_they_are(capsys, run_folder, photos, tmp_path):
    write_val(tmp_path)
    arguments = [
        "--classifier",
        str(run_folder),
        "--config",
        str(run_folder / "config.yaml"),
    ]
    assert vpr("index", "calibrate", *arguments) == 0
    printed = capsys.readouterr().out
    assert "of 24 positions are right, within 25 m" in printed
    assert "Without the cells near them" in printed
    calibration = load_calibration(run_folder / "best" / "classifier")
    assert calibration.fitted_on == "val of town"
    assert calibration.settings == {
        **{"method": "classification", "score": "cosine"},
        **{"num_predictions": 20, "log_scores": False},
    }
    status, out, _ = run(
        capsys, "--classifier", run_folder, photos, "--json", "--k", "3"
    )
    assert status == 0
    content = json.loads(out)
    assert (content["num_places"], content["score"]) == (10, "cosine")
    found = content["localizations"][1]
    assert 0.3 < found["confidence"] < 1
    assert found["expected_error_m"] > 0
    assert found["num_groups"] == 2
    assert found["spread_m"] == pytest.approx(30, abs=1)
    assert len(found["candidates"]) == 3
    assert found["candidates"][0]["latitude"] == found["latitude"]
    scores = [place["score"] for place in found["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert found["utm_zone"] == 10
    _, out, _ = run(capsys, "--classifier", run_folder, photos, "--min-confidence", "1")
    assert out.count("withheld: confidence 0.") == 2
    _, out, _ = run(capsys, "--classifier", run_folder, photos, "--geojson")
    kinds = [f["properties"]["kind"] for f in json.loads(out)["features"]]
    assert kinds[0] == "localization"
    assert kinds.count("candidate") % 4 == 0


def test_calibration_of_other_heads_is_refused(capsys, run_folder, photos, tmp_path):
    write_val(tmp_path)
    config = str(run_folder / "config.yaml")
    assert (
        vpr("index", "calibrate", "--classifier", run_folder, "--config", config) == 0
    )
    folder = run_folder / "best" / "classifier"
    table = street_table(4, 2)
    heads = tuple(GroupHead("cosine", np.ones((3, 2), np.float32)) for _ in range(2))
    save_heads(PlaceClassifier(table, heads), folder)
    status, _, err = run(capsys, "--classifier", run_folder, photos)
    assert status == 2
    assert "must be of the heads beside it" in err
    (folder / "calibration.json").write_text("{}")
    assert "Calibrate again" in run(capsys, "--classifier", run_folder, photos)[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--heading", "90"], "`--heading` chooses among the photos of an index"),
        (["--within", "37.7,-122.4,50"], "`--within` chooses among the photos"),
        (["--k", "0"], "argument --k: must be a whole number"),
    ],
)
def test_usage_errors(capsys, run_folder, photos, arguments, message):
    status, _, err = run(capsys, "--classifier", run_folder, photos, *arguments)
    assert status == 2
    assert message in err


def test_models_without_heads_and_missing_arguments(capsys, tmp_path, photos):
    status, _, err = run(capsys, "--classifier", tmp_path / "runs", photos)
    assert status == 2
    assert "runs is no model" in err
    assert run(capsys, photos)[0] == 2
    assert vpr("index", "calibrate", "--config", "x.yaml") == 2
    assert "one of the arguments --index --classifier" in capsys.readouterr().err


def test_a_localizer_takes_photos_of_any_kind(capsys, run_folder, photos):
    path = photos / "7.jpg"
    image = np.full((8, 8, 3), colour_of(7), np.uint8)
    localizer = ClassifierLocalizer(run_folder)
    given = [path, path.read_bytes(), image]
    found = localizer.localize(given)
    assert [one.photo for one in found] == [str(path), "photo 1", "photo 2"]
    assert len({(one.latitude, one.longitude) for one in found}) == 1
    assert all(one.is_localized and one.confidence is None for one in found)
    _, out, _ = run(capsys, "--classifier", run_folder, path, "--json")
    (same,) = json.loads(out)["localizations"]
    assert same["latitude"] == found[0].latitude
