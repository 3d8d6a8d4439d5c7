"""Who may ask what: keys, roles, rates."""

import shutil

import pytest
from fastapi import Depends, Request
from fastapi.testclient import TestClient

from tests.vpr_tf.serving.samples import photo
from vpr_tf.serving import ServiceError, ServiceSettings, create_app
from vpr_tf.serving.access import needs, take_photos
from vpr_tf.serving.key_file import add_key, remove_key


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def keys(key_file):
    """A key of each role."""
    roles = ("query", "metrics", "admin")
    return {role: add_key(key_file, role, role, 60) for role in roles}


@pytest.fixture
def locked(city, key_file, keys):
    """The client of a service with keys, and a route for each role."""
    app = create_app(ServiceSettings({"city": city}, key_file=key_file))
    for role in keys:

        @app.get(f"/of/{role}", dependencies=[Depends(needs(role))])
        async def answered() -> str:
            return "ok"

    @app.get("/photos", dependencies=[Depends(needs("query"))])
    async def photos(request: Request, num: int) -> int:
        take_photos(request, num)
        return num

    with TestClient(app) as client:
        yield client


def test_roles(locked, keys):
    may = {
        "query": {"query"},
        "metrics": {"metrics"},
        "admin": {"query", "metrics", "admin"},
    }
    for role, key in keys.items():
        for needed in keys:
            answer = locked.get(f"/of/{needed}", headers=bearer(key))
            assert answer.status_code == (200 if needed in may[role] else 403)
    assert locked.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic dXNlcjpwYXNz",
        "Bearer " + "a" * 60_000,
        "Bearer a b c",
        "bearer \xe4",
        "Bearer null",
        "\tBearer x",
    ],
)
def test_wrong_key_is_a_401(locked, sent):
    headers = {} if sent is None else {"Authorization": sent.encode("latin-1")}
    for path in ("/v1/indexes", "/v1/coverage", "/v1/indexes/city/photos/a/thumbnail"):
        answer = locked.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert len(answer.content) < 1000
    if sent in ("Bearer wrong", "Bearer null"):
        assert "is not known" in answer.json()["detail"]


def test_removed_key_is_refused_and_new_one_taken_without_a_restart(
    locked, keys, key_file
):
    assert locked.get("/v1/indexes", headers=bearer(keys["query"])).status_code == 200
    remove_key(key_file, "query")
    assert locked.get("/v1/indexes", headers=bearer(keys["query"])).status_code == 401
    new = add_key(key_file, "new", "query", 60)
    assert locked.get("/v1/indexes", headers=bearer(new)).status_code == 200


def test_keys_that_cannot_be_read_any_more_open_nothing(locked, keys, key_file):
    copy = shutil.copy(key_file, key_file.with_name("copy"))
    key_file.write_text("{")
    refused = locked.get("/v1/indexes", headers=bearer(keys["query"]))
    assert refused.status_code == 503
    assert str(key_file) not in refused.text
    key_file.unlink()
    assert locked.get("/of/admin", headers=bearer(keys["admin"])).status_code == 503
    shutil.copy(copy, key_file)
    key_file.chmod(0o600)
    assert locked.get("/v1/indexes", headers=bearer(keys["query"])).status_code == 200


def test_photos_are_counted(locked, keys):
    headers = bearer(keys["query"])
    assert locked.get("/photos?num=59", headers=headers).status_code == 200
    refused = locked.get("/photos?num=20", headers=headers)
    assert refused.status_code == 429
    assert 15 <= int(refused.headers["retry-after"]) <= 20
    assert refused.json()["status"] == 429
    assert locked.get("/photos?num=20", headers=bearer(keys["admin"])).is_success


def test_without_keys_all_may_ask_and_none_may_change(city):
    app = create_app(ServiceSettings({"city": city}))

    @app.get("/of/admin", dependencies=[Depends(needs("admin"))])
    async def answered() -> str:
        return "ok"

    with TestClient(app) as client:
        assert client.get("/v1/indexes").status_code == 200
        refused = client.get("/of/admin", headers=bearer("vpr_x"))
        assert refused.status_code == 403
        assert "vpr keys add" in refused.json()["detail"]


def test_service_with_damaged_keys_does_not_start(city, key_file):
    with pytest.raises(ServiceError, match="vpr keys add"):
        create_app(ServiceSettings({"city": city}, key_file=key_file))


def test_document_says_that_keys_are_sent(locked):
    document = locked.get("/openapi.json").json()
    assert document["paths"]["/v1/indexes"]["get"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_photos_of_a_request_are_taken_of_the_rate(city, key_file):
    key = bearer(add_key(key_file, "slow", "query", 3))
    several = [("photos", (f"{number}.jpg", photo(number))) for number in range(2)]
    app = create_app(ServiceSettings({"city": city}, key_file=key_file))
    with TestClient(app, headers=key) as client:
        answer = client.post("/v1/localize", files=several)
        match = answer.json()["localizations"][0]["matches"][0]
        assert (match["attribution"], match["licence"]) == ("Mapillary", "CC BY-SA 4.0")
        assert client.post("/v1/localize", files=several).status_code == 429
        assert client.post("/v1/localize", files=several[:1]).status_code == 200
        refused = client.post("/v1/localize", files=several[:1])
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) in range(15, 21)


def test_photos_that_the_service_cannot_take_are_not_counted(city, key_file):
    key = bearer(add_key(key_file, "slow", "query", 2))
    several = [("photos", (f"{number}.jpg", photo(number))) for number in range(2)]
    app = create_app(ServiceSettings({"city": city}, key_file=key_file))
    with TestClient(app, headers=key) as client:
        admission = app.state.service.localizer.admission
        with admission.places(63):
            assert client.post("/v1/localize", files=several).status_code == 503
        assert client.post("/v1/localize", files=several).status_code == 200


def test_worker_processes_share_the_rates(city, key_file, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
    key = bearer(add_key(key_file, "slow", "query", 1))
    settings = ServiceSettings({"city": city}, key_file=key_file)
    apps = [create_app(settings) for _ in range(2)]
    with TestClient(apps[0]) as first, TestClient(apps[1]) as second:
        statuses = [
            client.get("/v1/indexes", headers=key).status_code
            for _ in range(11)
            for client in (first, second)
        ]
    assert statuses[:20] == [200] * 20
    assert 429 in statuses[20:]


def test_two_keys_are_none(locked, keys):
    sent = [("Authorization", f"Bearer {keys[role]}") for role in ("query", "admin")]
    assert locked.get("/v1/indexes", headers=sent).status_code == 401
