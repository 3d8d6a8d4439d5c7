"""What the service says of its indexes: facts, coverage, streets, small pictures."""

import io
import os

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.vpr_tf.serving.samples import DIM
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings, create_app, index_facts
from vpr_tf.serving.thumbnails import thumbnail, thumbnail_path


def test_index_is_described_and_its_changes_are_seen(client, city):
    [before] = client.get("/v1/indexes").json()["indexes"]
    assert before["name"] == "city"
    assert before["num_photos"] == 3
    assert before["bounds"] == [-122.5, 37.7, -122.4, 37.8]
    assert before["years"] == {"2019": 1, "2021": 1}
    assert before["num_without_position"] == 1
    assert not before["is_calibrated"]
    assert before["attribution"] == "Mapillary"
    assert before["licence"] == "CC BY-SA 4.0"

    PlaceIndex.open(city).remove(keys=["a.jpg"])
    after = client.get("/v1/indexes/city").json()
    assert after["num_photos"] == 2
    assert after["generation"] == before["generation"] + 1
    assert after["years"] == {"2021": 1}


def test_calibration_is_told_with_its_reliability(client, city):
    rng = np.random.default_rng(0)
    PlaceIndex.open(city).calibrate(
        rng.normal(size=(40, DIM)), latitude=[37.7] * 40, longitude=[-122.5] * 40
    )
    told = client.get("/v1/indexes/city").json()["calibration"]
    assert told["num_queries"] == 40
    assert sum(one["num_queries"] for one in told["reliability"]["bins"]) == 40


def test_coverage_has_the_cells_and_is_limited(client, monkeypatch):
    answer = client.get("/v1/coverage", params={"cell_size_m": 50, "old_before": 2020})
    assert answer.headers["content-type"] == "application/geo+json"
    found = answer.json()
    assert [one["properties"]["old"] for one in found["features"]] == [True, False]
    assert found["summary"]["num_photos"] == 2

    monkeypatch.setattr(index_facts, "_MAX_CELLS", 1)
    refused = client.get("/v1/coverage", params={"cell_size_m": 51})
    assert refused.status_code == 422
    assert "larger `cell_size_m`" in refused.json()["detail"]
    assert client.get("/v1/coverage").json()["summary"]["cell_size_m"] > 51
    assert client.get("/v1/coverage", params={"cell_size_m": "nan"}).status_code == 422


def test_streets_are_thinned_to_the_first_photo_of_each_cell(client, monkeypatch):
    streets = client.get("/v1/indexes/city/streets").json()
    assert streets["points"] == [[37.7, -122.5, 90.0, 2019], [37.8, -122.4, None, 2021]]
    assert streets["num_photos"] == 2

    rng = np.random.default_rng(0)
    cm = rng.integers(0, 100_000, (3000, 2))
    zones = np.full(3000, 10)
    monkeypatch.setattr(index_facts, "_MAX_POINTS", 100)
    rows, spacing_m = index_facts._thinned(cm, zones, np.arange(3000))
    cells = [tuple(cell) for cell in cm // round(spacing_m * 100)]
    assert rows.tolist() == sorted({cells.index(cell) for cell in cells})
    assert 25 < len(rows) <= 100


def test_index_without_positions_has_no_streets_and_no_coverage(tmp_path, extractor):
    descriptors = np.eye(3, extractor.descriptor_dim)
    PlaceIndex.create(tmp_path / "city", descriptors, encoder=extractor).close()
    with TestClient(create_app(ServiceSettings({"city": tmp_path / "city"}))) as client:
        assert client.get("/v1/indexes/city/streets").json()["points"] == []
        assert client.get("/v1/indexes/city").json()["bounds"] is None
        assert client.get("/v1/coverage").status_code == 422


def test_thumbnail_is_small_upright_and_without_exif(client):
    answer = client.get(thumbnail_path("city", "a.jpg"))
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (160, 320)
    assert picture.getpixel((80, 20))[0] > 250  # the left half is up
    assert picture.getpixel((80, 300))[0] < 5
    assert b"house" not in answer.content
    assert not picture.getexif()
    assert answer.headers["cache-control"].startswith("private")

    again = {"If-None-Match": answer.headers["etag"]}
    kept = client.get(thumbnail_path("city", "a.jpg"), headers=again)
    assert (kept.status_code, kept.content) == (304, b"")
    assert client.get(thumbnail_path("city", "2019/b c.png")).status_code == 200


@pytest.mark.parametrize(
    "key",
    [
        "gone.jpg",
        "secret.jpg",
        "..%2Fsecret.jpg",
        "2019%2F..%2F..%2Fsecret.jpg",
        "%2Fetc%2Fpasswd",
        "a.jpg%00.png",
        "%ff%fe",
        "link.jpg",
        "folder/a.jpg",
        "2019",
        "pipe.jpg",
        "not.jpg",
        "a" * 5000,
    ],
)
def test_no_other_file_is_shown(client, city, photos_folder, key):
    (photos_folder.parent / "secret.jpg").write_bytes(b"\xff\xd8\xff")
    links = {"link.jpg": "a.jpg", "folder": "2019"}
    for name, target in links.items():
        if not (photos_folder / name).is_symlink():
            (photos_folder / name).symlink_to(target)
    (photos_folder / "not.jpg").write_text("no photo")
    if not (photos_folder / "pipe.jpg").exists():
        os.mkfifo(photos_folder / "pipe.jpg")
    held = ["link.jpg", "folder/a.jpg", "2019", "pipe.jpg", "not.jpg", "../secret.jpg"]
    PlaceIndex.open(city).add(np.ones((6, DIM)), keys=held)

    answer = client.get(f"/v1/indexes/city/photos/{key}/thumbnail")

    assert answer.status_code == 404
    assert str(photos_folder) not in answer.text


def test_service_without_a_folder_of_photos_shows_none(city):
    with TestClient(create_app(ServiceSettings({"city": city}))) as client:
        assert client.get(thumbnail_path("city", "a.jpg")).status_code == 404


def test_damaged_index_is_a_503_without_paths(client, city):
    (city / "manifest.json").write_text("{}")
    answer = client.get("/v1/indexes")
    assert answer.status_code == 503
    assert str(city) not in answer.text


def test_damaged_index_does_not_hide_the_others(city, town):
    app = create_app(ServiceSettings({"city": city, "town": town}))
    with TestClient(app) as client:
        (city / "manifest.json").write_text("{}")
        answer = client.get("/v1/indexes").json()
    assert [one["name"] for one in answer["indexes"]] == ["town"]
    assert "log" in answer["unusable"]["city"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_thumbnail_shows_every_kind_of_picture(tmp_path, mode):
    levels = np.linspace(0, 255, 400).astype(np.uint8)
    grey = np.repeat(levels[np.newaxis], 300, axis=0)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) << 8)
    else:
        picture = Image.fromarray(grey).convert("RGB").convert(mode)
    file = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    picture.save(file)

    small = Image.open(io.BytesIO(thumbnail(file, 10**6)))

    assert small.mode == "RGB"
    assert small.size == (320, 240)
    row = np.asarray(small)[100, :, 0].astype(int)
    assert row[:20].mean() < 40
    assert row[-20:].mean() > 215
