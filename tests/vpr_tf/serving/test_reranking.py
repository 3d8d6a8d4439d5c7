"""`POST /v1/localize` of a service that compares photos with their candidates."""

import sys

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.vpr_tf.matching.streets import png, street
from tests.vpr_tf.serving.samples import make_street_index
from vpr_tf.config import LocalizationConfig, RerankConfig, RerankOverride
from vpr_tf.localization import to_stored
from vpr_tf.matching import PhotoMatching, SiftMatcher
from vpr_tf.place_index import PlaceIndex, extract_local_features
from vpr_tf.serving import ServiceError, ServiceSettings, create_app

PNG = {"content-type": "image/png"}
SIFT = RerankOverride("always", "sift")


def ask(client, image, query=""):
    sent = client.post(f"/v1/localize{query}", content=png(image), headers=PNG)
    answer = sent.json()
    return answer, answer["localizations"][0]


def client_of(index, photos, rerank=SIFT):
    settings = ServiceSettings({"city": index}, photos=photos, rerank=rerank)
    return TestClient(create_app(settings))


def test_photos_lie_where_their_key_points_are(street_index, street_photos):
    with client_of(street_index, street_photos) as client:
        for seed in range(4):
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
        (street_photos / "2.png").unlink()
        answer, found = ask(client, street(1)[:, 30:])
        assert found["matches"][0]["key"] == "1.png"
        assert any("2.png cannot be read" in text for text in answer["warnings"])


def test_key_points_are_in_pixels_of_both_photos(street_index, street_photos):
    large = np.repeat(np.repeat(street(1), 3, 0), 3, 1)[:, 90:]  # 3 times as large
    with client_of(street_index, street_photos) as client:
        _, found = ask(client, large, "?inlier_points=true")
        _, without = ask(client, large)
    points = found["matches"][0]["inlier_points"]
    sizes = {name: points[name] for name in points if not name.endswith("_xy")}
    assert sizes == {
        "photo_width": 870,
        "photo_height": 960,
        "match_width": 320,
        "match_height": 320,
    }
    assert len(points["photo_xy"]) == found["matches"][0]["inliers"] > 40
    photo, match = (np.array(points[name]) for name in ("photo_xy", "match_xy"))
    expected = 3 * (match - [30, 0])
    assert np.median(np.abs(photo - expected)) < 3
    assert without["matches"][0]["inlier_points"] is None


def test_the_index_says_who_is_compared(street_index, street_photos):
    with client_of(street_index, street_photos, RerankOverride()) as client:
        assert not ask(client, street(1))[1]["reranked"]
    config = LocalizationConfig(rerank=RerankConfig("always", matcher="sift"))
    with PlaceIndex.open(street_index) as opened:
        opened.set_localization(to_stored(config, None))
    with client_of(street_index, street_photos, RerankOverride()) as client:
        assert ask(client, street(1))[1]["reranked"]
        assert ask(client, street(1))[0]["warnings"] == []
    with client_of(street_index, None, RerankOverride()) as client:
        answer, found = ask(client, street(1))
        assert not found["reranked"]
        assert answer["warnings"] == [
            "No photo was compared with its candidates: the service lacks the photos "
            "of the index, or key points in it."
        ]
    with client_of(street_index, None, RerankOverride("never")) as client:
        assert ask(client, street(1))[0]["warnings"] == []


def test_an_index_that_keeps_key_points_needs_no_photos(tmp_path, extractor):
    matching, work = PhotoMatching(SiftMatcher()), tmp_path / "work"
    found = extract_local_features(matching, street, 4, work, {})
    kept = make_street_index(tmp_path / "kept", extractor, local_features=found)
    with client_of(kept, None) as client:
        _, found = ask(client, street(3)[:, 30:], "?inlier_points=true")
    assert found["matches"][0]["key"] == "3.png"
    assert found["matches"][0]["inlier_points"]["match_width"] == 320
    assert found["matches"][0]["thumbnail"] is None


@pytest.mark.parametrize(
    ("wanted", "lacks"),
    [
        ({"matcher": "sift", "image_size": 100}, "the photos of the index, or key"),
        ({"matcher": "dense"}, "the photos of the index, or key points in it"),
        ({}, "weights"),
    ],
)
def test_key_points_of_another_matcher_leave_the_first_look(
    tmp_path, extractor, wanted, lacks
):
    found = extract_local_features(
        PhotoMatching(SiftMatcher()), street, 4, tmp_path / "work", {}
    )
    kept = make_street_index(tmp_path / "kept", extractor, local_features=found)
    config = LocalizationConfig(rerank=RerankConfig("always", **wanted))
    with PlaceIndex.open(kept) as opened:
        opened.set_localization(to_stored(config, None))
    with client_of(kept, None, RerankOverride()) as client:
        answer, found = ask(client, street(1))
    assert not found["reranked"]
    [warning] = answer["warnings"]
    assert f"the service lacks {lacks}" in warning


def test_what_is_missing_is_told_at_the_start(street_index, street_photos, monkeypatch):
    without_weights = RerankOverride("always", "xfeat")
    with (
        pytest.raises(ServiceError, match=r"cannot be served: .* needs its weights"),
        client_of(street_index, street_photos, without_weights),
    ):
        pass
    monkeypatch.setitem(sys.modules, "cv2", None)
    with (
        pytest.raises(ServiceError, match=r"pip install 'vpr_tf\[rerank\]'"),
        client_of(street_index, street_photos),
    ):
        pass


def test_a_calibration_of_other_candidates_is_refused(
    street_index, street_photos, extractor
):
    queries = [street(seed)[:, 30:] for seed in range(4)]
    with PlaceIndex.open(street_index) as opened:
        opened.calibrate(
            extractor.extract(queries),
            config=LocalizationConfig(num_predictions=3),
            latitude=37.7 + np.arange(4) / 100,
            longitude=[-122.5] * 4,
        )
    with (
        pytest.raises(ServiceError, match=r"fitted with no re-ranking"),
        client_of(street_index, street_photos),
    ):
        pass
