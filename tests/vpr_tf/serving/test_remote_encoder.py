"""A service whose encoder is a SavedModel on a server that speaks as TF Serving."""

import threading
import time

import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.extraction.engines.serving_stand_in import StandIn, rest_server
from tests.vpr_tf.extraction.hostile_models import save_model
from tests.vpr_tf.serving.samples import KEYS, PHOTOS, make_index
from vpr_tf.extraction import load_extractor
from vpr_tf.extraction.engines import remote
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.serving import ServiceSettings, create_app, describing

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "_WAITS_S", (0.0,))
    monkeypatch.setattr(describing, "_PROBE_EVERY_S", 0.02)
    folder = save_model(tmp_path / "1")
    make_index(tmp_path / "town", load_extractor(model=folder))
    return StandIn(lambda images: SavedEncoder(folder)(images).numpy())


def test_photos_are_described_by_the_server(stand_in, tmp_path):
    with rest_server(stand_in) as authority:
        url = f"http://{authority}/v1/models/city"
        settings = ServiceSettings({"town": tmp_path / "town"}, encoder_url=url)
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            asked = len(stand_in.batches)
            answer = client.post("/v1/localize", content=PHOTOS[3], headers=JPEG)
            assert answer.status_code == 200, answer.text
            first = answer.json()["localizations"][0]["matches"][0]
            assert first["key"] == KEYS[3]
            assert len(stand_in.batches) > asked


def wait_until_ready(client):
    limit = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("answer", [b"<html>hello</html>", None], ids=["html", "503"])
def test_server_that_fails_is_told_until_it_works(stand_in, tmp_path, answer):
    with rest_server(stand_in) as authority:
        url = f"http://{authority}/v1/models/city"
        settings = ServiceSettings({"town": tmp_path / "town"}, encoder_url=url)
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            stand_in.answer, stand_in.num_down = answer, 0 if answer else 1_000_000
            refused = client.post("/v1/localize", content=PHOTOS[3], headers=JPEG)
            assert refused.status_code == 503
            assert "encoder does not describe" in refused.json()["detail"]
            assert refused.headers["Retry-After"]
            not_ready = client.get("/readyz")
            assert not_ready.status_code == 503
            assert "encoder" in not_ready.json()["detail"]
            assert client.get("/healthz").status_code == 200

            stand_in.answer, stand_in.num_down = None, 0
            wait_until_ready(client)
            again = client.post("/v1/localize", content=PHOTOS[3], headers=JPEG)
            assert again.status_code == 200


def test_server_that_is_silent_holds_no_photo_for_long(stand_in, tmp_path):
    describe, go_on = stand_in.describe, threading.Event()
    with rest_server(stand_in) as authority:
        settings = ServiceSettings(
            {"town": tmp_path / "town"},
            encoder_url=f"http://{authority}/v1/models/city",
            max_describe_s=2.0,
        )
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            stand_in.describe = lambda images: go_on.wait(20) and describe(images)
            for _ in range(2):
                begin = time.monotonic()
                refused = client.post("/v1/localize", content=PHOTOS[3], headers=JPEG)
                assert refused.status_code == 503
                assert time.monotonic() - begin < 10
                assert client.get("/readyz").status_code == 503
            go_on.set()
            wait_until_ready(client)
