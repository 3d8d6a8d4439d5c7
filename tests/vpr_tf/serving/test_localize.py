"""`POST /v1/localize`: localizations as by `PlaceIndex.localize`, in all forms."""

import base64
import dataclasses
import re

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.vpr_tf.serving.samples import KEYS, PHOTOS, SIZE, photo
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings, create_app

JPEG = {"content-type": "image/jpeg"}
JSON = {"content-type": "application/json"}
LIMITS = {"max_photos": 9, "max_photo_bytes": 30_000, "max_body_bytes": 60_000}


@pytest.fixture(scope="module")
def client(town):
    settings = ServiceSettings({"city": town}, max_pixels=1_000_000, **LIMITS)
    with TestClient(create_app(settings)) as client:
        yield client


def as_base64(content):
    return base64.b64encode(content).decode()


def send_raw(client, content, **query):
    return client.post("/v1/localize", content=content, headers=JPEG, params=query)


def send_files(client, contents, **options):
    files = [("photos", (f"{n}.jpg", one)) for n, one in enumerate(contents)]
    return client.post("/v1/localize", files=files, data=options)


def send_json(client, contents, **options):
    photos = [
        {"name": f"{n}.jpg", "data": as_base64(one)} for n, one in enumerate(contents)
    ]
    return client.post("/v1/localize", json={"photos": photos, **options})


@pytest.mark.parametrize("send", [send_files, send_json])
def test_photos_are_localized_as_by_the_index(client, town, send):
    turned = Image.Exif()
    turned[0x0112] = 6
    photos = [*PHOTOS[:5], photo(1, image_format="PNG"), photo(3, exif=turned)]
    with PlaceIndex.open(town) as index:
        expected = index.localize(photos, num_predictions=3, heading_deg=10.0)

    answer = send(client, photos, top_k=3, heading_deg=10.0).json()

    assert [one["photo"] for one in answer["localizations"]] == [
        f"{n}.jpg" for n in range(len(photos))
    ]
    assert (answer["index"], answer["index_generation"]) == ("city", 1)
    for found, one in zip(answer["localizations"], expected, strict=True):
        assert [m["key"] for m in found["matches"]] == [m.key for m in one.matches]
        known = dataclasses.asdict(one)
        for name in known.keys() & found.keys() - {"photo", "matches"}:
            assert found[name] == pytest.approx(known[name], abs=1e-3), name


def test_raw_photo_is_localized_by_query_parameters(client):
    answer = send_raw(client, PHOTOS[2], within="37.75,-122.5,1500", name="a.jpg")
    (found,) = answer.json()["localizations"]
    assert found["photo"] == "a.jpg"
    assert {one["key"] for one in found["matches"]} <= set(KEYS[4:7])
    (found,) = send_raw(client, PHOTOS[2]).json()["localizations"]
    assert found["matches"][0]["key"] == KEYS[2]


def test_geojson_is_answered_where_it_is_preferred(client):
    for accept, kind in [
        ("application/geo+json", "application/geo+json"),
        ("application/geo+json;q=0.5, application/json", "application/json"),
        ("application/geo+json;q=0", "application/json"),
        ("*/*", "application/json"),
    ]:
        headers = JPEG | {"accept": accept}
        answer = client.post("/v1/localize", content=PHOTOS[0], headers=headers)
        assert answer.headers["content-type"] == kind
        if kind == "application/geo+json":
            content = answer.json()
            assert content["type"] == "FeatureCollection"
            assert content["index"] == "city"
            longitude, latitude = content["features"][0]["geometry"]["coordinates"]
            assert (latitude, longitude) == pytest.approx((37.7, -122.5), abs=1e-6)
            first, second = (one["properties"] for one in content["features"][:2])
            assert {"accuracy_radius_m", "accuracy_probability"} < first.keys()
            assert {"attribution", "licence", "thumbnail"} < second.keys()


def test_unreadable_photos_do_not_stop_the_others(client):
    large = photo(0, 1100, 1000, quality=5)
    answer = send_files(client, [b"", PHOTOS[1], PHOTOS[2][:-30], large])
    assert answer.status_code == 200
    content = answer.json()
    assert [one["photo"] for one in content["localizations"]] == ["1.jpg"]
    reasons = {one["photo"]: one["reason"] for one in content["unreadable"]}
    assert "empty" in reasons["0.jpg"]
    assert "truncated" in reasons["2.jpg"]
    assert "more than 1,000,000 pixels: 1000 x 1100" in reasons["3.jpg"]


def test_small_photo_is_warned_of(client):
    (warning,) = send_raw(client, photo(0, SIZE, SIZE - 1)).json()["warnings"]
    assert warning.startswith(f"photo 1 has {SIZE - 1} x {SIZE} pixels")


def with_position(number, latitude, longitude):
    exif = Image.Exif()
    exif[0x8825] = {
        **{1: "N", 2: (latitude, 0.0, 0.0)},
        **{3: "W", 4: (longitude, 0.0, 0.0)},
    }
    return photo(number, exif=exif)


def test_position_of_a_photo_is_read_only_if_asked_for(client):
    placed = with_position(0, 37.77, 122.5)
    (found,) = send_files(client, [placed]).json()["localizations"]
    assert found["matches"][0]["key"] == KEYS[0]
    both = [placed, with_position(0, 37.74, 122.5)]
    content = send_files(client, [*both, PHOTOS[0]], exif_radius_m="500").json()
    matches = [[m["key"] for m in one["matches"]] for one in content["localizations"]]
    assert matches == [[KEYS[7]], [KEYS[4]]]
    assert "EXIF position" in content["unreadable"][0]["reason"]
    circles = {"exif_radius_m": "500", "within": "37.7,-122.5,500"}
    for send in (send_files, send_json):
        refused = send(client, [placed], **circles | {"exif_radius_m": 500})
        assert refused.status_code == 422
        assert "either `within` or `exif_radius_m`" in refused.json()["detail"]
    assert send_raw(client, placed, **circles).status_code == 422


REFUSED = {
    "no boundary": (400, b"x", {"content-type": "multipart/form-data"}),
    "no parts": (400, b"", {"content-type": "multipart/form-data; boundary=x"}),
    "no JSON": (400, b"{", JSON),
    "empty": (400, b"", JPEG),
    "text": (415, b"x", {"content-type": "text/plain"}),
    "no type": (415, b"x", {}),
    "compressed": (415, PHOTOS[0], JPEG | {"content-encoding": "gzip"}),
    "no photo": (415, b"GIF89a", {"content-type": "image/gif"}),
    "damaged": (422, PHOTOS[0][:-20], JPEG),
    "no base64": (422, b'{"photos": [{"data": "/9j/*"}]}', JSON),
    "many values": (400, b'{"photos": [' + b"{}," * 10_000 + b"{}]}", JSON),
    "deep": (400, b"[" * 5_000, JSON),
    "large photo": (413, bytes(30_001), JPEG),
    "large body": (413, bytes(60_001), JSON),
}


@pytest.mark.parametrize("case", REFUSED)
def test_body_is_refused(client, case):
    status, content, headers = REFUSED[case]
    answer = client.post("/v1/localize", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("within", "37.7,-122.5", 422),
        ("within", "97.7,-122.5,10", 422),
        ("within", "nan,nan,nan", 422),
        ("within", "37.7,-122.5,1e9", 422),
        ("heading_deg", "-1", 422),
        ("heading_deg", "nan", 422),
        ("top_k", "0", 422),
        ("top_k", "101", 422),
        ("min_confidence", "1.5", 422),
        ("exif_radius_m", "0", 422),
        ("exif_radius_m", "inf", 422),
        ("colour", "red", 422),
        ("index", "village", 404),
    ],
)
def test_option_that_cannot_be_is_refused(client, field, value, status):
    answers = [
        send_raw(client, PHOTOS[0], **{field: value}),
        send_files(client, [PHOTOS[0]], **{field: value}),
        send_json(client, [PHOTOS[0]], **{field: value}),
    ]
    for answer in answers:
        assert answer.status_code == status
        detail = answer.json()["detail"]
        assert (field if status == 422 else value) in detail
        assert not re.search("Value error|Input should|Extra inputs|convert", detail)


def test_refusal_says_what_was_received(client):
    answer = send_raw(client, PHOTOS[0], top_k=101, heading_deg="north")
    assert [one["expected"] for one in answer.json()["errors"]] == [
        "must be at most 100. Received: '101'",
        "must be a number. Received: 'north'",
    ]
    answer = client.post("/v1/localize", json={"photos": []})
    assert "must have at least 1. Received: 0" in answer.json()["detail"]
    huge = b'{"photos": [], "min_confidence": 1%s, "top_k": true}' % (b"0" * 2000)
    answer = client.post("/v1/localize", content=huge, headers=JSON)
    assert answer.status_code == 422
    assert "must be a whole number. Received: true" in answer.json()["detail"]
    named = {"name": "x" * 201, "data": as_base64(PHOTOS[0])}
    answer = client.post("/v1/localize", json={"photos": [named]})
    assert "at most 200 characters" in answer.json()["detail"]


def test_query_parameter_that_is_repeated_is_refused(client):
    answer = send_raw(client, PHOTOS[0], top_k=[1, 3])
    assert answer.status_code == 422
    assert "'top_k' may be given once" in answer.json()["detail"]


def test_base64_may_have_line_breaks(client):
    lines = base64.encodebytes(PHOTOS[0]).decode().replace("\n", "\r\n")
    answer = client.post("/v1/localize", json={"photos": [{"data": lines}]})
    assert answer.status_code == 200


def test_option_that_left_nothing_is_named(client):
    near = "37.7,-122.5,1500"
    for options, reason in [
        ({"within": "10,20,500"}, "no photo of the index lies in the circle"),
        ({"within": near, "heading_deg": 180}, "all matches look another way"),
    ]:
        answer = send_raw(client, PHOTOS[0], **options).json()
        (found,) = answer["localizations"]
        assert found["status"] == "outside"
        assert reason in found["reason"]
        assert any(reason in one for one in answer["warnings"])


def test_photos_beyond_the_limits_are_refused(client):
    assert send_files(client, [PHOTOS[0]] * 10).status_code == 413
    assert send_json(client, [b"x"] * 10).status_code == 413
    assert send_files(client, [bytes(30_001)]).status_code == 413
    assert send_json(client, [bytes(30_001)]).status_code == 413
    lines = {"photos": [{"data": base64.encodebytes(bytes(30_000)).decode()}]}
    assert client.post("/v1/localize", json=lines).status_code == 415  # no photo
    assert send_files(client, [bytes(25_000)] * 3).status_code == 413


def test_largest_photo_finds_room_in_a_body(town):
    settings = ServiceSettings({"city": town}, max_photo_bytes=200_000_000)
    assert settings.body_bytes > 200_000_000 * 4 / 3


def test_fields_of_multipart_are_checked(client):
    answer = client.post("/v1/localize", files={"image": ("a.jpg", PHOTOS[0])})
    assert answer.status_code == 422
    assert "`photos`" in answer.json()["detail"]
    twice = {"photos": ("a.jpg", PHOTOS[0])}
    data = {"top_k": ["3", "4"]}
    answer = client.post("/v1/localize", files=twice, data=data)
    assert answer.status_code == 422
    answer = client.post("/v1/localize", files=twice, params={"top_k": 3})
    assert answer.status_code == 422


def test_name_of_a_photo_is_only_a_label(client):
    name = "../../etc/passwd\x1b[2J\u202e" + "x" * 500
    files = [("photos", (name, PHOTOS[0]))]
    (found,) = client.post("/v1/localize", files=files).json()["localizations"]
    assert found["photo"].startswith("../../etc/passwd")
    assert found["photo"].isprintable()
    assert len(found["photo"]) <= 200


def test_openapi_document_names_all_forms_and_errors(client):
    document = client.get("/openapi.json").json()
    told = document["paths"]["/v1/localize"]["post"]
    assert set(told["requestBody"]["content"]) == {
        *("multipart/form-data", "application/json", "image/jpeg", "image/png")
    }
    for status in (400, 404, 408, 413, 415, 422, 503):
        content = told["responses"][str(status)]["content"]
        assert content["application/problem+json"]["example"]["status"] == status
        assert set(content) == {"application/problem+json"}
    example = told["responses"]["200"]["content"]["application/json"]["example"]
    found = send_raw(client, PHOTOS[0]).json()
    assert example.keys() == found.keys()
    assert example["localizations"][0].keys() == found["localizations"][0].keys()
