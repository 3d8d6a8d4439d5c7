"""Photos of an index compared with queries, by SIFT and the photos themselves."""

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.matching.streets import street
from vpr_tf.config import LocalizationConfig, RerankConfig, RerankOverride
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.localization import LocalizationError, to_stored
from vpr_tf.place_index import PlaceIndex, Reranking
from vpr_tf.place_index.manifest_parts import KeptLocalFeatures
from vpr_tf.place_index.reranking import lacking

SIFT = RerankConfig("always", candidates=4, matcher="sift")
LATITUDE = 37.7 + np.arange(4) * 1e-2


def mean_colour(images):
    """As descriptors they all look alike."""
    return np.mean(images, axis=(1, 2)) * 0 + np.array([[1.0, 0.0, 0.0]])


@pytest.fixture
def photos_root(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(street(seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def index(tmp_path, photos_root, monkeypatch):
    descriptors = np.eye(4, 3)
    descriptors[0] = [0.9, 0.1, 0.0]
    opened = PlaceIndex.create(
        tmp_path / "index",
        descriptors,
        latitude=LATITUDE,
        longitude=[-122.5] * 4,
        keys=[f"{seed}.png" for seed in range(4)],
    )
    monkeypatch.setattr(
        PlaceIndex,
        "extractor",
        lambda self, model=None, of_queries=False: FeatureExtractor(mean_colour),
    )
    return opened


def query(seed=2) -> np.ndarray:
    """A street as it is seen from a step aside."""
    return street(seed)[:, 30:]


def test_the_photo_that_shares_key_points_is_the_place(index, photos_root):
    [first] = index.localize([query()], num_predictions=1)
    assert first.latitude == pytest.approx(LATITUDE[0])
    reranking = Reranking(photos_root, SIFT)
    [found] = index.localize([query()], rerank=reranking)
    assert found.latitude == pytest.approx(LATITUDE[2])
    assert found.matches[0].key == "2.png"
    assert found.matches[0].inliers > 40
    assert found.reranked
    path = photos_root.parent / "query.png"
    Image.fromarray(query(3)).save(path)
    [of_file] = index.localize([path], rerank=reranking)
    assert of_file.matches[0].key == "3.png"
    [never] = index.localize(
        [query()], rerank=Reranking(photos_root, RerankConfig()), num_predictions=1
    )
    assert never == first


def test_the_settings_of_the_index_say_who_is_compared(index, photos_root):
    [found] = index.localize([query()], rerank=Reranking(photos_root))
    assert not found.reranked
    index.set_localization(to_stored(LocalizationConfig(rerank=SIFT), None))
    [found] = index.localize([query()], rerank=Reranking(photos_root))
    assert found.reranked


def test_photos_that_cannot_be_compared_are_localized_with_a_warning(
    index, photos_root
):
    reranking = Reranking(photos_root, SIFT)
    plain = np.full((64, 64, 3), 77, np.uint8)
    [found] = index.localize([plain], rerank=reranking)
    assert "too few key points, it is too small or too uniform" in found.warning
    assert found.latitude == pytest.approx(LATITUDE[0], abs=1e-3)
    (photos_root / "1.png").unlink()
    [found] = index.localize([query()], rerank=reranking)
    assert (
        "some candidates: the candidate 1.png cannot be read: it is not in the folder"
        in found.warning
    )
    assert found.matches[0].key == "2.png"
    (photos_root / "1.png").write_bytes(b"no image")
    [found] = index.localize([query()], rerank=reranking)
    assert "the candidate 1.png cannot be read" in found.warning
    assert found.reranked
    # Photos that are put back are found again, changed ones are read again.
    Image.fromarray(street(9)).save(photos_root / "1.png")
    Image.fromarray(street(2)).save(photos_root / "0.png")
    Image.fromarray(street(8)).save(photos_root / "2.png")
    [found] = index.localize([query()], rerank=reranking)
    assert found.matches[0].key == "0.png"


def test_a_query_that_is_gone_when_it_is_compared_stays_as_it_was(
    index, photos_root, tmp_path, monkeypatch
):
    path = tmp_path / "query.png"
    Image.fromarray(query()).save(path)
    [first] = index.localize([path])
    counter_of = Reranking.counter

    def counter(self, *words):
        path.unlink()
        return counter_of(self, *words)

    monkeypatch.setattr(Reranking, "counter", counter)
    [found] = index.localize([path], rerank=Reranking(photos_root, SIFT))
    assert found.warning.startswith("not re-ranked: the photo cannot be read again: ")
    assert found.warning.endswith(
        "query.png: file cannot be read: No such file or directory"
    )
    assert dataclasses.replace(found, warning="") == first


def test_links_may_lead_to_photos_of_the_same_folder_and_nowhere_else(
    index, photos_root
):
    (photos_root / "2.png").rename(photos_root / "moved.png")
    (photos_root / "2.png").symlink_to("moved.png")
    [found] = index.localize([query()], rerank=Reranking(photos_root, SIFT))
    assert (found.matches[0].key, found.warning) == ("2.png", "")
    (photos_root / "moved.png").rename(photos_root.parent / "2.png")
    (photos_root / "2.png").unlink()
    (photos_root / "2.png").symlink_to("../2.png")
    [found] = index.localize([query()], rerank=Reranking(photos_root, SIFT))
    assert "2.png is a link that leads out of" in found.warning


def test_no_photo_can_be_compared_in_another_folder(index, tmp_path):
    [found] = index.localize([query()], rerank=Reranking(tmp_path, SIFT))
    assert not found.reranked
    assert found.warning.startswith("not re-ranked: the candidate ")
    assert found.warning.endswith("was built of, nor 3 others")


def test_queries_of_known_position_calibrate_reranked_photos(index, photos_root):
    config = LocalizationConfig(num_predictions=3, rerank=SIFT)
    queries = [query(seed) for seed in range(4)]
    matching = Reranking(photos_root, SIFT)
    counter = matching.counter(index.state(), index.extractor, queries.__getitem__)
    where = {"latitude": LATITUDE, "longitude": [-122.5] * 4}
    descriptors = index.extractor().extract(queries)
    index.calibrate(descriptors, config=config, counter=counter, **where)
    fitted = index.manifest.reranked_calibration
    assert fitted.settings["matched_by"].startswith("sift, 1024 points, 640 px, 4 ")
    assert fitted.num_right == 4
    [found] = index.localize([query()], rerank=Reranking(photos_root))
    assert found.confidence is not None
    assert found.reranked
    other = RerankConfig("always", candidates=3, matcher="sift")
    with pytest.raises(LocalizationError, match=r"with sift.* 3 candidates.*4 cand"):
        index.localize([query()], rerank=Reranking(photos_root, other))
    index.calibrate(descriptors, config=LocalizationConfig(num_predictions=3), **where)
    assert index.manifest.reranked_calibration is None
    with pytest.raises(LocalizationError, match=r"fitted with no re-ranking\. Calib"):
        index.localize([query()], rerank=Reranking(photos_root, SIFT))


def test_what_is_missing_is_told_at_once(index, photos_root, tmp_path, monkeypatch):
    with pytest.raises(LocalizationError, match=r"no folder at .*none"):
        Reranking(tmp_path / "none")
    without_weights = Reranking(photos_root, RerankConfig("always"))
    with pytest.raises(ValueError, match=r"xfeat needs its weights.*--matcher-weights"):
        index.localize([query()], rerank=without_weights)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'vpr_tf\[rerank\]'"):
        index.localize([query()], rerank=Reranking(photos_root, SIFT))


@pytest.mark.parametrize(
    ("override", "stored", "root", "wanted"),
    [
        ({}, {}, None, ""),
        ({}, {"matcher": "sift", "image_size": 100}, None, "photos"),
        ({}, {"matcher": "sift", "image_size": 100}, "photos", ""),
        ({}, {"matcher": "dense"}, None, "photos"),
        ({}, {"matcher": "xfeat"}, None, "weights"),
        ({}, {"matcher": "xfeat", "when": "never"}, None, ""),
        ({"when": "never"}, {"matcher": "xfeat"}, None, ""),
        # What is said by name is an error instead.
        ({"when": "always"}, {"matcher": "dense"}, None, ""),
        ({"matcher": "xfeat"}, {}, None, ""),
        ({"matcher": "sift"}, {"matcher": "xfeat"}, None, ""),
    ],
)
def test_what_an_index_lacks_to_be_compared_as_it_says(override, stored, root, wanted):
    kept = KeptLocalFeatures("sift", "sift, 1024 points, 640 px", 640)
    config = RerankConfig(**{"when": "always", "matcher": "sift"} | stored)
    assert lacking(RerankOverride(**override), config, kept, root) == wanted
    config = RerankConfig("always", matcher="sift")
    assert lacking(RerankOverride(), config, None, None) == "photos"
