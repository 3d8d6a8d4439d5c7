"""The files of the pages, and what the pages are told of the service."""

import re

import pytest
from fastapi.testclient import TestClient

from vpr_tf.serving import ServiceSettings, create_app


@pytest.mark.parametrize("path", ["/", "/indexes/city"])
def test_pages_bring_all_their_files_and_hold_no_code(client, path):
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)

    files = re.findall(r'(?:src|href)="((?:\.\./)?static/[^"]+)"', answer.text)
    assert len(files) > 5
    for name in files:
        found = client.get("/" + name.removeprefix("../"))
        assert found.status_code == 200, name
        assert found.headers["cache-control"] == "no-cache"


def test_static_files_are_those_of_the_pages_only(client):
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/js",
        "/static/",
    ):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_page_is_told_its_tiles_and_limits(city):
    tiles = "https://tiles.example.org/{z}/{x}/{y}.png"
    settings = ServiceSettings(
        {"city": city}, tiles=tiles, tiles_attribution="A City", max_photo_bytes=5
    )
    with TestClient(create_app(settings)) as client:
        told = client.get("/v1/page").json()
    assert told["tiles"] == tiles
    assert told["tiles_attribution"] == "A City"
    assert told["max_photo_bytes"] == 5
    assert not told["needs_key"]
    assert not told["shows_photos"]
