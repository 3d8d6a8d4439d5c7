import json
import re
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


@pytest.fixture
def drive(tmp_path) -> Path:
    """Photos of four places, 200 m and 15 seconds from each other."""
    for place, name in enumerate("dbca"):
        taken = f"2024:05:01 10:00:{15 * place:02d}"
        write_photo(tmp_path / f"drive/{name}.jpg", COLOURS[place], taken=taken)
    return tmp_path / "drive"


def test_a_drive_is_localized_in_the_order_of_its_times(capsys, tiny_index, drive):
    arguments = ("--index", tiny_index, drive, "--sequence", "--min-confidence", "0")
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    content = json.loads(out)
    found = {Path(one["photo"]).name: one for one in content["localizations"]}
    assert [one["status"] for one in found.values()] == ["localized"] * 4
    longitude = [found[f"{name}.jpg"]["longitude"] % 360 for name in "dbca"]
    assert longitude == sorted(longitude)
    track = content["track"]
    names = [list(found)[number] for number in track["order"]]
    assert names == ["d.jpg", "b.jpg", "c.jpg", "a.jpg"]
    assert track["times"][1] == "2024-05-01T10:00:15"
    assert track["segments"] == [track["order"]]
    status, out, _ = run(capsys, *arguments)
    assert "Track: 4 of 4 photos, in 1 segment, at most 60 km/h." in out
    status, out, _ = run(capsys, *arguments, "--max-speed-kmh", "10")
    assert "in 1 segment, at most 60" not in out


def test_a_drive_as_gpx_and_geojson(capsys, tiny_index, drive):
    arguments = ("--index", tiny_index, drive, "--sequence", "--min-confidence", "0")
    status, out, err = run(capsys, *arguments, "--gpx", "--utc-offset=-07:30")
    assert (status, err) == (0, "")
    assert out.count("<trkpt") == 4
    assert "<time>2024-05-01T17:30:15Z</time>" in out
    path = drive / "drive.geojson"
    status, out, _ = run(capsys, *arguments, "--geojson", "--output", path)
    assert (status, out) == (0, "")
    assert json.loads(path.read_text())["features"][-1]["properties"]["kind"] == "track"


def test_seconds_between_stand_for_times(capsys, tiny_index, photos):
    arguments = ("--index", tiny_index, photos, "--sequence")
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert "no time" in err
    assert "--seconds-between" in err
    status, out, err = run(capsys, *arguments, "--seconds-between", "15")
    assert (status, err) == (0, "")
    assert "Track: 2 of 2 photos" in out
    status, out, _ = run(
        capsys, "--index", tiny_index, photos / "0.jpg", "--sequence", "--json"
    )
    assert status == 0
    assert json.loads(out)["track"]["order"] == [0]


def test_a_photo_that_cannot_be_read_leaves_its_seconds(
    capsys, tiny_index, drive, tmp_path
):
    for number, name in enumerate("dbca"):
        (drive / f"{name}.jpg").rename(drive / f"{number}.jpg")
    arguments = ("--index", tiny_index, drive, "--sequence", "--min-confidence", "0")
    # 200 m in 7 seconds are too far for 60 km/h, in 14 not.
    words = (*arguments, "--seconds-between", "7", "--json")
    (drive / "2.jpg").unlink()
    _, out, _ = run(capsys, *words)
    gone = json.loads(out)
    (drive / "2.jpg").write_bytes(b"\xff\xd8\xff")
    status, out, err = run(capsys, *words)
    damaged = json.loads(out)
    assert status == 1
    assert "2.jpg: " in err
    # One damaged file is one step twice as long, one that is not there is none.
    confidence = [
        [one["confidence"] for one in content["localizations"]]
        for content in (gone, damaged)
    ]
    assert confidence[0] != confidence[1]
    (drive / "1.jpg").write_bytes(b"\xff\xd8\xff")
    _, out, _ = run(capsys, *words)
    assert len(json.loads(out)["localizations"]) == 2


def test_names_in_another_order_than_their_numbers_are_told(
    capsys, caplog, tiny_index, tmp_path
):
    for number in (2, 9, 10):
        write_photo(tmp_path / f"frame_{number}.jpg", COLOURS[1])
    arguments = ("--index", tiny_index, tmp_path, "--sequence", "--seconds-between", 1)
    status, _, _ = run(capsys, *arguments)
    assert status == 0
    assert re.search(r"frame_10.jpg is taken to be before \S*frame_2.jpg", caplog.text)


def test_photos_of_unknown_time_are_named(capsys, tiny_index, drive):
    write_photo(drive / "bb.jpg", COLOURS[1])
    _, out, _ = run(capsys, "--index", tiny_index, drive, "--sequence")
    assert "1 photos do not say when they were taken" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpx"], "--gpx is of a sequence: pass --sequence"),
        (["--seconds-between", "3"], "--seconds-between is of a sequence"),
        (["--sequence", "--gpx", "--json"], "--gpx and --json exclude"),
        (["--sequence", "--rerank", "always"], "not re-ranked: leave out"),
        (["--sequence", "--max-speed-kmh", "0"], "must be km/h, above 0"),
        (["--sequence", "--seconds-between", "-1"], "must be seconds, 0 or more"),
        (["--sequence", "--utc-offset", "summer"], "ahead of UTC, as 02:00"),
        (["--sequence", "--utc-offset", "15:00"], "at most 14"),
        (["--sequence", "--utc-offset", "2"], "which the table does not have"),
        (
            ["--sequence", "--utc-offset", "2", "--seconds-between", "2", "--gpx"],
            "--seconds-between takes their place",
        ),
    ],
)
def test_sequence_options_that_cannot_be(capsys, tiny_index, drive, arguments, message):
    status, out, err = run(capsys, "--index", tiny_index, drive, *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_a_classifier_has_no_sequences(capsys, tmp_path, drive):
    (tmp_path / "run").mkdir()
    status, _, err = run(capsys, "--classifier", tmp_path / "run", drive, "--sequence")
    assert status == 2
    assert "--sequence weighs the photos of an index" in err
