"""Request ids, headers, names of the service, and pages of other sites."""

import asyncio
import logging

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from vpr_tf.serving import ServiceError, ServiceSettings, create_app
from vpr_tf.serving.origins import allowed_hosts
from vpr_tf.serving.protection import Protection
from vpr_tf.serving.security_headers import security_headers


def test_every_answer_has_an_id_and_the_headers(client):
    ids = set()
    for path in ("/healthz", "/v1/nothing", "/v1/coverage?cell_size_m=0"):
        answer = client.get(path, headers={"X-Request-ID": "mine\r"})
        ids.add(answer.headers["x-request-id"])
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(ids) == 3


def test_pictures_of_the_tiles_server_may_be_shown():
    policy = security_headers("https://{s}.tiles.example.org/{z}/{x}/{y}.png")
    assert "img-src 'self' data: blob: https://*.tiles.example.org;" in str(policy)
    assert "tiles" not in str(security_headers("/tiles/{z}/{x}/{y}.png"))


@pytest.mark.parametrize(
    "tiles", ["javascript:1", "https://a; script-src *", "//a/{z}", "https://[", ""]
)
def test_tiles_that_would_open_the_policy_are_refused(city, tiles):
    with pytest.raises(ServiceError, match="map tiles"):
        create_app(ServiceSettings({"city": city}, tiles=tiles))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("[::ffff:127.0.0.1]", 200),
        ("testserver", 200),  # the address that was asked
        ("photos.example.org", 200),
        ("photos.example.org.", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost@evil.example", 400),
        ("localhost:8000:1", 400),
        ("127.0.0.1.nip.io", 400),
        ("localhost, evil.example", 400),
        ("local host", 400),
        ("", 400),
        ("a" * 60_000, 400),
    ],
)
def test_host(city, host, status):
    settings = ServiceSettings({"city": city}, hosts=("photos.example.org",))
    with TestClient(create_app(settings)) as client:
        assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_host_that_is_an_address_with_a_port_cannot_be_allowed(city):
    settings = ServiceSettings({"city": city}, hosts=("a.org:80",))
    with pytest.raises(ServiceError, match="without a port"):
        create_app(settings)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://testserver"}, 200),  # behind a proxy with TLS
        ({"Origin": "http://testserver:3000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "file://testserver"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(client, headers, status):
    assert client.get("/v1/indexes", headers=headers).status_code == status


def test_link_from_another_site_is_followed_but_no_form(client):
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert client.get("/v1/indexes", headers=link).status_code == 200
    assert client.post("/v1/indexes", headers=link).status_code == 403


def test_fault_is_a_problem_document_and_its_lines_are_logged(city, caplog):
    app = create_app(ServiceSettings({"city": city}))

    @app.get("/fault")
    async def fault(request: Request):
        try:
            raise KeyError("my_house.jpg")
        except KeyError as error:
            raise RuntimeError("my_house.jpg") from error

    with TestClient(app) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/fault")

    assert answer.status_code == 500
    document = answer.json()
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["request_id"] in caplog.text
    assert "in fault" in caplog.text
    assert "KeyError" in caplog.text
    assert "my_house" not in caplog.text.replace('"my_house.jpg"', "") + answer.text


def test_more_requests_than_allowed_are_a_503_but_health_is_answered(city):
    with TestClient(create_app(ServiceSettings({"city": city}, max_requests=0))) as app:
        refused = app.get("/v1/indexes")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        assert app.get("/healthz").status_code == 200


def test_head_is_answered_and_allow_names_all_methods(client):
    for path in ("/healthz", "/readyz", "/", "/indexes/city"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b""), path
    for path, allowed in (
        ("/v1/photos", "DELETE, POST"),
        ("/healthz", "GET, HEAD"),
        ("/static/js/main.js", "GET, HEAD"),
    ):
        answer = client.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_request_that_is_cut_off_at_the_end_is_a_503():
    async def forever(scope, receive, send):
        await asyncio.sleep(60)

    async def run():
        sent = []

        async def note(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"localhost")],
        }
        guarded = Protection(forever, allowed_hosts(()), {})
        answering = asyncio.create_task(guarded(scope, None, note))
        await asyncio.sleep(0)
        answering.cancel()
        await asyncio.wait({answering})
        return sent, answering.cancelled()

    sent, is_cancelled = asyncio.run(run())
    assert is_cancelled
    assert sent[0]["status"] == 503
    assert b"The service ends" in sent[1]["body"]
