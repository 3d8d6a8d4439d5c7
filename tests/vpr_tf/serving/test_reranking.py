"""`POST /v1/localize` of a service that compares photos with their candidates."""

import io
import sys

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.vpr_tf.matching.streets import street
from tests.vpr_tf.serving.samples import DIM
from vpr_tf.config import LocalizationConfig, RerankConfig, RerankOverride
from vpr_tf.localization import to_stored
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceError, ServiceSettings, create_app

NUM = 4
PNG = {"content-type": "image/png"}
SIFT = RerankOverride("always", "sift")


@pytest.fixture
def photos_root(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(NUM):
        Image.fromarray(street(seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def index(tmp_path, extractor):
    """Descriptors of which none is that of its photo."""
    folder = tmp_path / "streets"
    PlaceIndex.create(
        folder,
        np.eye(NUM, DIM),
        encoder=extractor,
        latitude=37.7 + np.arange(NUM) / 100,
        longitude=[-122.5] * NUM,
        keys=[f"{seed}.png" for seed in range(NUM)],
    ).close()
    return folder


def png(image) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def ask(client, image):
    answer = client.post("/v1/localize", content=png(image), headers=PNG).json()
    return answer, answer["localizations"][0]


def client_of(index, photos_root, rerank=SIFT):
    settings = ServiceSettings({"city": index}, photos=photos_root, rerank=rerank)
    return TestClient(create_app(settings))


def test_photos_lie_where_their_key_points_are(index, photos_root):
    with client_of(index, photos_root) as client:
        for seed in range(NUM):
            _, found = ask(client, street(seed)[:, 30:])
            assert found["reranked"]
            assert found["matches"][0]["key"] == f"{seed}.png"
            assert found["matches"][0]["inliers"] > 40
            assert found["latitude"] == pytest.approx(37.7 + seed / 100)
        answer, found = ask(client, np.full((80, 80, 3), 9, np.uint8))
        assert not found["reranked"]
        assert found["matches"][0]["inliers"] is None
        [warning] = [text for text in answer["warnings"] if "not re-ranked" in text]
        assert "too few key points" in warning
        (photos_root / "2.png").unlink()
        answer, found = ask(client, street(1)[:, 30:])
        assert not found["reranked"]
        assert any("2.png cannot be read" in text for text in answer["warnings"])


def test_the_index_says_who_is_compared(index, photos_root):
    with client_of(index, photos_root, RerankOverride()) as client:
        assert not ask(client, street(1))[1]["reranked"]
    config = LocalizationConfig(rerank=RerankConfig("always", matcher="sift"))
    with PlaceIndex.open(index) as opened:
        opened.set_localization(to_stored(config, None))
    with client_of(index, photos_root, RerankOverride()) as client:
        assert ask(client, street(1))[1]["reranked"]
    with client_of(index, None, RerankOverride()) as client:
        assert not ask(client, street(1))[1]["reranked"]


def test_what_is_missing_is_told_at_the_start(index, photos_root, monkeypatch):
    without_weights = RerankOverride("always", "xfeat")
    with (
        pytest.raises(ServiceError, match=r"cannot be served: .* needs its weights"),
        client_of(index, photos_root, without_weights),
    ):
        pass
    monkeypatch.setitem(sys.modules, "cv2", None)
    with (
        pytest.raises(ServiceError, match=r"pip install 'vpr_tf\[rerank\]'"),
        client_of(index, photos_root),
    ):
        pass


def test_a_calibration_of_other_candidates_is_refused(index, photos_root, extractor):
    queries = [street(seed)[:, 30:] for seed in range(NUM)]
    with PlaceIndex.open(index) as opened:
        opened.calibrate(
            extractor.extract(queries),
            config=LocalizationConfig(num_predictions=3),
            latitude=37.7 + np.arange(NUM) / 100,
            longitude=[-122.5] * NUM,
        )
    with (
        pytest.raises(ServiceError, match=r"fitted with no re-ranking"),
        client_of(index, photos_root),
    ):
        pass
