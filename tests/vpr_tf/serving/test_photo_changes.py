"""Admins add photos to an index and remove some."""

import json
import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.serving.samples import photo
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings, create_app, index_changes, served_index
from vpr_tf.serving.access import Access
from vpr_tf.serving.key_file import add_key

PLACE = {"latitude": "37.75", "longitude": "-122.45"}


@pytest.fixture
def admin(city, tmp_path):
    """The client of an admin."""
    file = tmp_path / "keys.json"
    key = add_key(file, "me", "admin", 600)
    app = create_app(ServiceSettings({"city": city}, key_file=file))
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


class Here:
    """Does here what a `WorkerPool` does elsewhere: TensorFlow is loaded once."""

    def __init__(self, *arguments, **options):
        pass

    def map_in_order(self, function, tasks):
        return [function(*task) for task in tasks]

    def __exit__(self, *error):
        pass


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(index_changes, "WorkerPool", Here)


def keys_of(city):
    with PlaceIndex.open(city) as index:
        return [key.decode() for key in index.photos.keys]


def files_of(*numbers, name="new/{}.jpg"):
    return [("photos", (name.format(number), photo(number))) for number in numbers]


def delete(client, **body):
    return client.request("DELETE", "/v1/photos", json=body)


def test_photos_are_added_as_the_builder_would(admin, city, extractor, monkeypatch):
    # A request sees what is open already: that of the admin has waited for it.
    monkeypatch.setattr(served_index, "_WAIT_FOR_CHANGE_S", 0)
    one = {**PLACE, "heading_deg": "90", "timestamp": "2024-05-06", "key": "n/3.jpg"}
    answer = admin.post("/v1/photos", files=files_of(3), data=one)
    assert answer.status_code == 200, answer.text
    assert answer.json()["keys"] == ["n/3.jpg"]
    assert answer.json()["num_photos"] == 4

    metadata = [{**PLACE, "key": "4"}, {**PLACE, "heading_deg": 0}]
    data = {"metadata": json.dumps(metadata), "index": "city"}
    answer = admin.post("/v1/photos", files=files_of(4, 5), data=data)
    assert answer.json()["keys"] == ["4", "new/5.jpg"]

    with PlaceIndex.open(city) as index:
        state = index.state()
        rows, _ = state.find_alive(np.array([b"4", b"n/3.jpg", b"new/5.jpg"]))
        np.testing.assert_allclose(
            np.sort(state.descriptors[np.sort(rows)], axis=0),
            np.sort(extractor.extract([photo(n) for n in (3, 4, 5)]), axis=0),
            atol=1e-6,
        )
        [row], _ = state.find_alive(np.array([b"n/3.jpg"]))
        assert state.photos.heading_deg[row] == 90
        assert state.photos.timestamps[row] == b"20240506"
    localized = admin.post("/v1/localize", files=files_of(3)).json()
    assert localized["localizations"][0]["matches"][0]["key"] == "n/3.jpg"


def test_known_key_is_a_409_unless_it_is_replaced(admin, city, here):
    data = {**PLACE, "key": "a.jpg"}
    refused = admin.post("/v1/photos", files=files_of(1), data=data)
    assert refused.status_code == 409
    assert "a.jpg" in refused.json()["detail"]
    replaced = admin.post("/v1/photos", files=files_of(1), data={**data, "replace": 1})
    assert replaced.json()["num_photos"] == 3
    assert sorted(keys_of(city)) == ["2019/b c.png", "a.jpg", "gone.jpg"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "latitude"),
        ({"latitude": "37"}, "longitude"),
        ({**PLACE, "latitude": "nan"}, "latitude"),
        ({**PLACE, "latitude": "89.9"}, "latitude"),
        ({**PLACE, "heading_deg": "361"}, "heading_deg"),
        ({**PLACE, "timestamp": "yesterday"}, "timestamp"),
        ({**PLACE, "key": "../a.jpg"}, "key"),
        ({**PLACE, "key": "/etc/a.jpg"}, "key"),
        ({**PLACE, "key": "a\r\nSet-Cookie: b"}, "key"),
        ({**PLACE, "key": "a\0"}, "key"),
        ({**PLACE, "key": "a" * 501}, "key"),
        ({**PLACE, "colour": "red"}, "colour"),
        ({"metadata": "[]"}, "for 1 photos"),
        ({"metadata": "{"}, "metadata"),
        ({"metadata": "[" * 30_000}, "metadata"),
        ({**PLACE, "metadata": "[]"}, "latitude"),
        ({**PLACE, "index": "other"}, "no index"),
    ],
)
def test_wrong_fields_add_nothing(admin, city, data, expected):
    answer = admin.post("/v1/photos", files=files_of(1), data=data)
    assert answer.status_code in (404, 422)
    assert expected in answer.json()["detail"]
    assert str(city) not in answer.text
    assert len(keys_of(city)) == 3


def test_one_unusable_photo_adds_none(admin, city, here):
    metadata = {"metadata": json.dumps([PLACE, {**PLACE, "key": "bad"}])}
    for content in (b"", b"GIF89a", photo(1)[:300], photo(1)[:-40] + b"\xff\xd9" * 20):
        files = [*files_of(1), ("photos", ("bad.jpg", content))]
        answer = admin.post("/v1/photos", files=files, data=metadata)
        if answer.status_code == 200:  # what is left of it can be decoded
            delete(admin, keys=["bad", "new/1.jpg"])
            continue
        assert answer.status_code == 422
        assert "bad: " in answer.json()["detail"]
        assert len(keys_of(city)) == 3


def test_photos_are_removed_by_key_or_condition(admin, city):
    said = delete(admin, older_than="2020", dry_run=True).json()
    assert (said["keys"], said["is_dry_run"], said["num_photos"]) == (
        ["a.jpg"],
        True,
        3,
    )
    assert len(keys_of(city)) == 3
    assert delete(admin, older_than="2020").json()["num_photos"] == 2
    assert delete(admin, within="37.8,-122.4,10").json()["keys"] == ["2019/b c.png"]
    assert delete(admin, within="37.8,-122.4,10").json()["num_changed"] == 0
    refused = delete(admin, keys=["gone.jpg", "never.jpg"])
    assert refused.status_code == 404
    assert "never.jpg" in refused.json()["detail"]
    assert keys_of(city) == ["gone.jpg"]
    assert delete(admin, keys=["gone.jpg", "gone.jpg"]).json()["num_photos"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"keys": []}',
        b'{"keys": "a.jpg"}',
        b'{"keys": ["a.jpg"], "older_than": "2020"}',
        b'{"within": "1,2"}',
        b'{"within": "37,-122,-5"}',
        b'{"older_than": ""}',
        b'{"older_than": "soon"}',
        b'{"keys": ["a.jpg"], "force": true}',
        b'{"keys": ["\\ud800"]}',
    ],
)
def test_removal_that_says_nothing_clear_removes_nothing(admin, city, body):
    answer = admin.request(
        *("DELETE", "/v1/photos"),
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 404, 422)
    assert len(keys_of(city)) == 3


def test_damaged_index_is_a_503_and_counts_nothing(admin, city, monkeypatch):
    counted = []
    monkeypatch.setattr(
        Access, "take_photos", lambda self, caller, num: counted.append(num)
    )
    monkeypatch.setattr(
        Access, "give_back_photos", lambda self, caller, num: counted.remove(num)
    )
    (city / "manifest.json").write_text("{")
    answers = [
        admin.post("/v1/photos", files=files_of(1), data=PLACE),
        delete(admin, keys=["a.jpg"]),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert str(city) not in answer.text
    assert not counted


def test_two_admins_at_once_lose_nothing(admin, city, here):
    answers = []

    def add(number):
        files = files_of(number)
        answers.append(admin.post("/v1/photos", files=files, data=PLACE).status_code)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    delete(admin, keys=["a.jpg"])
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    assert len(keys_of(city)) == 3 - 1 + 4


def test_nobody_changes_an_index_without_a_key_of_an_admin(city, tmp_path):
    file = tmp_path / "keys.json"
    query = {"Authorization": f"Bearer {add_key(file, 'a', 'query', 60)}"}
    with TestClient(create_app(ServiceSettings({"city": city}, key_file=file))) as app:
        for headers, status in ((query, 403), ({}, 401)):
            posted = app.post("/v1/photos", files=files_of(1), headers=headers)
            removed = app.request(
                *("DELETE", "/v1/photos"), json={"keys": ["a.jpg"]}, headers=headers
            )
            assert (posted.status_code, removed.status_code) == (status, status)
    with TestClient(create_app(ServiceSettings({"city": city}))) as app:
        assert app.post("/v1/photos", files=files_of(1), data=PLACE).status_code == 403
        assert delete(app, keys=["a.jpg"]).status_code == 403
    assert len(keys_of(city)) == 3


def test_signed_index_is_not_changed(city, tmp_path):
    pytest.importorskip("cryptography")
    from tests.vpr_tf.place_index.signing_pairs import write_keys

    private, public = write_keys(tmp_path)
    with PlaceIndex.open(city) as index:
        index.sign(private)
    file = tmp_path / "keys.json"
    key = add_key(file, "me", "admin", 600)
    settings = ServiceSettings({"city": city}, key_file=file, public_key=str(public))
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(settings), headers=headers) as client:
        for answer in (
            client.post("/v1/photos", files=files_of(1), data=PLACE),
            delete(client, keys=["a.jpg"]),
        ):
            assert answer.status_code == 403
            assert "sign it" in answer.json()["detail"]
        assert client.get("/v1/indexes").json()["indexes"][0]["num_photos"] == 3
