"""`POST /v1/sequence`: photos of one camera, localized by each other."""

import base64
import xml.etree.ElementTree as ElementTree

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.vpr_tf.serving.samples import KEYS, PHOTOS, create_local_index, photo
from vpr_tf.serving import ServiceSettings, create_app

FAST = {"seconds_between": "60", "max_speed_kmh": "100"}  # places are 1.1 km apart
GPX = "{http://www.topografix.com/GPX/1/1}"


@pytest.fixture(scope="module")
def drive_client(town):
    with TestClient(create_app(ServiceSettings({"town": town}))) as client:
        yield client


def taken_at(number, minute):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"2026:06:01 10:{minute:02}:00"
    return photo(number, exif=exif)


def ask(client, photos, fields, accept="application/json"):
    files = [
        ("photos", (f"{number}.jpg", content, "image/jpeg"))
        for number, content in enumerate(photos)
    ]
    return client.post(
        "/v1/sequence", files=files, data=fields, headers={"accept": accept}
    )


def keys_of(answer):
    matches = [one["matches"] for one in answer["localizations"]]
    return [found[0]["key"] if found else "" for found in matches]


def test_photos_of_a_drive_are_a_track(drive_client):
    answer = ask(drive_client, PHOTOS[2:6], FAST).json()
    assert keys_of(answer) == KEYS[2:6]
    assert answer["track"] == {
        "order": [0, 1, 2, 3],
        "times": [""] * 4,
        "segments": [[0, 1, 2, 3]],
    }
    assert not any(one["reranked"] for one in answer["localizations"])
    # In less time no car goes so far: one place explains more of the photos.
    slow = ask(drive_client, PHOTOS[2:6], {**FAST, "seconds_between": "5"}).json()
    assert len(set(keys_of(slow))) < 4


def test_times_are_read_in_the_photos_if_none_are_sent(drive_client):
    photos = [taken_at(number, minute) for number, minute in ((4, 3), (3, 1), (2, 0))]
    answer = ask(drive_client, photos, {"max_speed_kmh": "100"}).json()
    assert answer["track"]["order"] == [2, 1, 0]
    assert answer["track"]["times"][0] == "2026-06-01T10:00:00"
    assert answer["track"]["segments"] == [[2, 1, 0]]
    refused = ask(drive_client, PHOTOS[:2], {})
    assert refused.status_code == 422
    assert "Send the field `seconds_between`" in refused.json()["detail"]


def test_an_unreadable_photo_leaves_its_time(drive_client):
    photos = [PHOTOS[2], b"\xff\xd8\xff", PHOTOS[4]]
    answer = ask(drive_client, photos, FAST).json()
    assert [one["photo"] for one in answer["unreadable"]] == ["1.jpg"]
    # 2.2 km in two minutes; in one they are too far to be joined.
    assert answer["track"]["segments"] == [[0, 1]]
    soon = ask(drive_client, photos[::2], FAST).json()
    assert soon["track"]["segments"] == [[0], [1]]


def test_a_track_is_geojson_or_gpx_where_that_is_asked_for(drive_client):
    answer = ask(drive_client, PHOTOS[2:5], FAST, "application/geo+json")
    assert answer.headers["content-type"] == "application/geo+json"
    track = answer.json()["features"][-1]
    assert track["properties"]["kind"] == "track"
    assert track["properties"]["photos"] == ["0.jpg", "1.jpg", "2.jpg"]
    [line] = track["geometry"]["coordinates"]
    assert line[0] == pytest.approx([-122.5, 37.72])
    assert "track" not in answer.json()
    answer = ask(drive_client, PHOTOS[2:5], FAST, "application/gpx+xml")
    assert answer.headers["content-type"] == "application/gpx+xml"
    points = ElementTree.fromstring(answer.text).findall(f".//{GPX}trkpt")
    assert [float(point.get("lat")) for point in points] == pytest.approx(
        [37.72, 37.73, 37.74], abs=1e-4
    )


def test_local_coordinates_have_no_circle_and_no_gpx(tmp_path, extractor):
    create_local_index(tmp_path / "hall", extractor, 50.0)
    circle = {"within": "45.07,7.68,100"}
    with TestClient(create_app(ServiceSettings({"hall": tmp_path / "hall"}))) as client:
        answer = ask(client, PHOTOS[2:5], FAST).json()
        assert [one["utm_east"] for one in answer["localizations"]] == [100, 150, 200]
        assert answer["track"]["segments"] == [[0, 1, 2]]
        answer = ask(client, PHOTOS[2:5], FAST, "application/gpx+xml")
        assert answer.status_code == 406
        refused = [ask(client, PHOTOS[2:5], FAST | circle)]
        file = ("photos", ("2.jpg", PHOTOS[2], "image/jpeg"))
        refused += [client.post("/v1/localize", files=[file], data=circle)]
    for answer in refused:
        assert answer.status_code == 422
        assert "8 positions are local coordinates" in answer.json()["detail"]
        assert answer.json()["detail"].endswith("`within` and `exif_radius_m`.")


def test_photos_as_json_and_what_a_sequence_has_not(drive_client):
    photos = [
        {"name": f"{number}", "data": base64.b64encode(PHOTOS[number]).decode()}
        for number in range(2)
    ]
    body = {"photos": photos, "seconds_between": 60, "max_speed_kmh": 100}
    answer = drive_client.post("/v1/sequence", json=body)
    assert answer.json()["track"]["segments"] == [[0, 1]]
    for wrong in ({"heading_deg": 3}, {"inlier_points": True}, {"max_speed_kmh": 0}):
        assert drive_client.post("/v1/sequence", json=body | wrong).status_code == 422
    raw = {"content-type": "image/jpeg"}
    answer = drive_client.post("/v1/sequence", content=PHOTOS[0], headers=raw)
    assert answer.status_code == 415
