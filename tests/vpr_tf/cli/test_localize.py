import json
from pathlib import Path

import pytest

from tests.command_line import vpr
from tests.vpr_tf.evaluation.tiny_dataset import (
    MeanColourEncoder,
    Shot,
    write_dataset,
)
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from tests.vpr_tf.place_index.samples import create, manifest_of
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.photos import scan_photos
from vpr_tf.place_index import (
    EncoderIdentity,
)

LATITUDE, LONGITUDE = -17.75, 179.9999
# Places 200 m apart, eastwards over the antimeridian, each of one colour.
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]


def gps_at(place: float, **more):
    longitude = LONGITUDE + place * 200 / 106_000
    return gps_of(LATITUDE, (longitude + 180) % 360 - 180, **more)


@pytest.fixture(scope="module")
def tiny_index(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    for place, colour in enumerate(COLOURS):
        for shot in range(3):
            write_photo(
                folder / f"photos/{place}_{shot}.jpg",
                tuple(value + 5 * shot for value in colour),
                gps=gps_at(place + 0.02 * shot, heading_deg=90.0 * place),
            )
    photos = scan_photos(folder / "photos", progress=False)
    extractor = FeatureExtractor(MeanColourEncoder())
    described = extractor.extract_files(photos, progress=False)
    encoder = EncoderIdentity("mean colour", "mean colour", 3, Preprocessing())
    create(folder / "index", described.in_memory(), described.photos.photos, encoder)
    return folder / "index"


@pytest.fixture(autouse=True)
def stored_encoder(monkeypatch):
    def open_encoder(folder, manifest, model=None, *, of_queries=False):
        assert model is None
        return FeatureExtractor(MeanColourEncoder())

    monkeypatch.setattr("vpr_tf.place_index.index_encoder.open_encoder", open_encoder)


@pytest.fixture
def photos(tmp_path) -> Path:
    for place, colour in enumerate(COLOURS[:2]):
        write_photo(tmp_path / "trip" / f"{place}.jpg", colour)
    return tmp_path / "trip"


def run(capsys, *arguments):
    status = vpr("localize", *arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_name_with_a_dash_stands_after_two(capsys, tiny_index, photos, monkeypatch):
    (photos / "1.jpg").rename(photos / "-dash.jpg")
    monkeypatch.chdir(photos)
    words = ("--index", tiny_index, "--json", "--", "-dash.jpg", "0.jpg")
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    found = json.loads(out)["localizations"]
    assert [one["photo"] for one in found] == ["-dash.jpg", "0.jpg"]
    assert vpr("query", *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["photo"] for one in found] == ["-dash.jpg", "0.jpg"]


def test_folders_files_and_patterns_are_localized(capsys, tiny_index, photos):
    for names in (["."], ["0.jpg", "1.jpg"], ["*.jpg"]):
        status, out, err = run(
            capsys, "--index", tiny_index, *(photos / name for name in names)
        )
        assert (status, err) == (0, "")
        header, first, second, *_ = out.splitlines()
        assert "within about" in header
        assert "-17.750000   179.999" in first
        assert "-17.750000  -179.998" in second
        assert "3 of 12, best: 0_0.jpg" in first
        assert "Not calibrated" in out


def test_unreadable_photos_are_named_and_the_others_localized(
    capsys, tiny_index, photos
):
    (photos / "broken.jpg").write_bytes((photos / "0.jpg").read_bytes()[:700])
    (photos / "notes.jpg").write_text("none")
    status, out, err = run(
        capsys, "--index", tiny_index, photos, photos / "gone.jpg", "--json"
    )
    assert status == 1
    content = json.loads(out)
    assert len(content["localizations"]) == 2
    unreadable = [Path(entry["photo"]).name for entry in content["unreadable"]]
    assert sorted(unreadable) == ["broken.jpg", "gone.jpg", "notes.jpg"]
    assert all(name in err for name in unreadable)
    status, out, _ = run(capsys, "--index", tiny_index, photos / "gone.jpg")
    assert status == 1


def test_geojson_goes_to_a_file(capsys, tiny_index, photos):
    path = photos / "found.geojson"
    status, out, _ = run(
        capsys,
        *("--index", tiny_index, photos / "1.jpg"),
        *("--geojson", "--output", path),
    )
    assert (status, out) == (0, "")
    found = json.loads(path.read_text())["features"][0]
    longitude, latitude = found["geometry"]["coordinates"]
    assert latitude == pytest.approx(LATITUDE, abs=1e-4)
    assert -180 <= longitude < -179.99


def test_only_photos_inside_the_circle_are_searched(capsys, tiny_index, photos):
    status, out, _ = run(
        capsys,
        *("--index", tiny_index, photos / "1.jpg", "--json"),
        *("--within", f"{LATITUDE},{LONGITUDE},50"),
    )
    assert status == 0
    (found,) = json.loads(out)["localizations"]
    assert [photo["key"] for photo in found["matches"]] == [
        "0_2.jpg",
        "0_1.jpg",
        "0_0.jpg",
    ]
    status, out, _ = run(
        capsys,
        *("--index", tiny_index, photos / "1.jpg"),
        *("--within", "10,10,50"),
    )
    assert status == 0
    assert "outside: no photo of the index lies in the circle" in out


def test_heading_leaves_out_photos_that_look_another_way(capsys, tiny_index, photos):
    arguments = ("--index", tiny_index, photos / "0.jpg", "--json")
    status, out, _ = run(capsys, *arguments, "--heading", "100")
    assert status == 0
    (found,) = json.loads(out)["localizations"]
    assert found["num_candidates"] == 3
    assert found["heading_deg"] == pytest.approx(90)
    _, out, _ = run(capsys, *arguments, "--k", "2")
    assert json.loads(out)["localizations"][0]["num_candidates"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--heading", "400"], "0 to 360"),
        (["--min-confidence", "2"], "0 to 1"),
        (["--k", "0"], "argument --k"),
        (["--output", "missing/folder/a.json"], "missing/folder"),
    ],
)
def test_usage_errors(capsys, tiny_index, photos, arguments, message):
    status, out, err = run(capsys, "--index", tiny_index, photos, *arguments)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("circle", ["1,2", "-1;2,5", "99,2,5"])
def test_circles_that_are_none(capsys, tiny_index, photos, circle):
    status, _, err = run(capsys, "--index", tiny_index, photos, "--within", circle)
    assert status == 2
    assert "must be latitude, longitude and metres" in err


def test_no_index_and_no_photos(capsys, tiny_index, tmp_path):
    status, _, err = run(capsys, "--index", tmp_path, tmp_path)
    assert status == 2
    assert "No index at" in err
    status, _, err = run(capsys, "--index", tiny_index, tmp_path)
    assert status == 2
    assert "No photos in" in err


def write_city(folder: Path, num_queries: int) -> Path:
    """Writes a dataset with a val set, whose queries stand 3 m beside their photos."""
    shots = [
        Shot(tuple(value + 5 * i for value in colour), east_m=200.0 * place + i)
        for place, colour in enumerate(COLOURS)
        for i in range(3)
    ]
    queries = [
        Shot(COLOURS[i % 4], east_m=200.0 * (i % 4) + (500 if i % 9 == 8 else 3))
        for i in range(num_queries)
    ]
    write_dataset(folder / "dataset", {"val-database": shots, "val-queries": queries})
    config = folder / "city.yaml"
    config.write_text(
        f"name: city\nruns_dir: {folder / 'runs'}\n"
        f"dataset: {{path: {folder / 'dataset'}}}\n"
        "localization: {num_predictions: 6, wanted_precision: 0.8}\n"
    )
    return config


def test_calibrated_index_says_how_sure_it_is(capsys, tiny_index, photos, tmp_path):
    config = write_city(tmp_path, num_queries=18)
    arguments = ["--index", str(tiny_index), "--config", str(config)]
    assert vpr("index", "calibrate", *arguments) == 0
    printed = capsys.readouterr().out
    assert "16 of 18 positions are right, within 25 m" in printed
    assert "| cluster    |       88.9% |  2.0 m |" in printed
    assert "On held-out queries (5 folds)" in printed
    stored = manifest_of(tiny_index).localization
    assert stored["settings"]["num_predictions"] == 6
    status, out, _ = run(capsys, "--index", tiny_index, photos / "0.jpg", "--json")
    content = json.loads(out)
    assert content["calibration"]["fitted_on"] == "val of city"
    (found,) = content["localizations"]
    assert 0.5 < found["confidence"] < 0.95
    assert 1 < found["expected_error_m"] < 25
    assert found["num_candidates"] == 6
    status, out, _ = run(
        capsys, "--index", tiny_index, photos / "0.jpg", "--min-confidence", "0.99"
    )
    assert status == 0
    assert "is below 0.99" in out
    _, out, _ = run(capsys, "--index", tiny_index, photos / "0.jpg", "--k", "3")
    assert "Not calibrated for localization.num_predictions=3" in out


def test_calibration_needs_an_evaluation_set(capsys, tiny_index, tmp_path):
    config = write_city(tmp_path, num_queries=1)
    arguments = ["--index", str(tiny_index), "--config", str(config)]
    assert vpr("index", "calibrate", *arguments, "--set", "test") == 2
    assert "has no evaluation set 'test'. It has: val" in capsys.readouterr().err
