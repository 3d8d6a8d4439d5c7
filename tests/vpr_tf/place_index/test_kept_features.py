"""Key points that an index keeps, so that re-ranking needs no photos."""

import dataclasses

import numpy as np
import pytest

from tests.vpr_tf.matching.streets import png, street
from tests.vpr_tf.place_index.samples import manifest_of
from vpr_tf.config import RerankConfig
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.localization import LocalizationError
from vpr_tf.matching import LocalFeatures, PhotoMatching, SiftMatcher
from vpr_tf.place_index import PlaceIndex, Reranking, extract_local_features
from vpr_tf.place_index.manifest import LOCAL_FORMAT_VERSION
from vpr_tf.place_index.packed_features import (
    NoFeatures,
    PackedFeatures,
    StoredFeaturesError,
)
from vpr_tf.search import RetrievalError

SIFT = RerankConfig("always", candidates=6, matcher="sift")
LOOK = Reranking(None, SIFT)
CONTENT = "segments/00000001/local/features.bin"


@pytest.fixture(scope="module")
def matching():
    return PhotoMatching(SiftMatcher())


def found_by(matching, folder, seeds):
    """Key points of streets; of street 9 none can be found."""

    def image(number):
        if seeds[number] == 9:
            raise OSError("it is gone")
        return street(seeds[number], 200)

    return extract_local_features(
        matching, image, len(seeds), folder, {"seeds": list(seeds)}
    )


def columns(seeds):
    return {
        "latitude": [37.7 + seed / 100 for seed in seeds],
        "longitude": [-122.5] * len(seeds),
        "keys": [f"{seed}.png" for seed in seeds],
    }


@pytest.fixture
def index(tmp_path, matching, monkeypatch):
    """Streets 0 to 3, whose descriptors are the same."""
    monkeypatch.setattr(
        PlaceIndex,
        "extractor",
        lambda self, model=None, of_queries=False: FeatureExtractor(
            lambda images: np.ones((len(images), 3)) / np.sqrt(3)
        ),
    )
    return PlaceIndex.create(
        tmp_path / "index",
        np.eye(4, 3),
        local_features=found_by(matching, tmp_path / "found", range(4)),
        **columns(range(4)),
    )


def seen(index, seed, look=LOOK):
    [found] = index.localize([street(seed, 200)[:, 20:]], rerank=look)
    return found


def test_key_points_are_packed_with_little_loss(matching):
    features = matching.features(street(), photo_size=(640, 700))
    packed = PackedFeatures.of(features)
    assert len(packed.content) == len(features) * (4 + 128)
    back = packed.unpacked()
    assert (back.image_size, back.photo_size) == ((320, 320), (640, 700))
    np.testing.assert_allclose(back.points_xy, features.points_xy, atol=1 / 16)
    cosine = np.einsum("nd,nd->n", back.descriptors, features.descriptors)
    assert cosine.min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(back.descriptors, axis=1), 1, rtol=1e-5)
    none = LocalFeatures((5, 7), np.zeros((0, 2)), np.zeros((0, 8)))
    assert len(PackedFeatures.of(none).unpacked()) == 0
    with pytest.raises(StoredFeaturesError, match=r"are not 3 key points"):
        dataclasses.replace(packed, num_points=3, content=b"12345").unpacked()


def test_kept_key_points_find_what_the_photos_find(index, tmp_path):
    assert manifest_of(index.folder).format_version == LOCAL_FORMAT_VERSION
    assert index.manifest.local_features.identity == "sift, 1024 points, 640 px"
    photos = tmp_path / "photos"
    photos.mkdir()
    bare = PlaceIndex.create(tmp_path / "bare", np.eye(4, 3), **columns(range(4)))
    for seed in range(4):
        (photos / f"{seed}.png").write_bytes(png(street(seed, 200)))
    for seed in (1, 3):
        kept, read = seen(index, seed), seen(bare, seed, Reranking(photos, SIFT))
        assert kept.matches[0].key == read.matches[0].key == f"{seed}.png"
        counts = [one.matches[0].inliers for one in (kept, read)]
        assert counts[0] == pytest.approx(counts[1], rel=0.1)
        assert not kept.warning


def test_changes_keep_key_points_beside_their_photos(index, matching, tmp_path):
    index.remove(["0.png"])
    new = found_by(matching, tmp_path / "new", (4, 9))
    index.add(np.eye(2, 3), local_features=new, **columns((4, 9)))
    index.add(np.eye(1, 3), **columns((5,)))
    for compacted in (False, True):
        if compacted:
            index.compact()
        for seed in (1, 3, 4):
            found = seen(index, seed)
            assert found.matches[0].key == f"{seed}.png"
            assert found.matches[0].inliers > 30
            assert "keeps no key points of it, nor 1 others" in found.warning
        assert index.verify().is_intact
        assert index.num_photos == 6


def test_key_points_of_another_matcher_are_refused(index, tmp_path):
    other = PhotoMatching(SiftMatcher(), image_size=100)
    with pytest.raises(RetrievalError, match=r"keeps those by sift.*640.*100 px"):
        index.add(
            np.eye(1, 3),
            local_features=found_by(other, tmp_path / "other", (4,)),
            **columns((4,)),
        )
    assert index.num_photos == 4
    look = Reranking(None, dataclasses.replace(SIFT, image_size=100))
    with pytest.raises(LocalizationError, match=r"100 px needs.*those by sift.* 640"):
        seen(index, 1, look)
    bare = PlaceIndex.create(tmp_path / "bare", np.eye(4, 3), **columns(range(4)))
    with pytest.raises(LocalizationError, match=r"no folder of photos, and no key po"):
        seen(bare, 1)
    with pytest.raises(RetrievalError, match=r"keeps none as key points"):
        bare.add(
            np.eye(1, 3),
            local_features=found_by(other, tmp_path / "other", (4,)),
            **columns((4,)),
        )


def test_damaged_key_points_are_left_out_or_found_in_the_photos(index, tmp_path):
    content = index.folder / CONTENT
    damaged = bytearray(content.read_bytes())
    damaged[5] ^= 1
    content.write_bytes(damaged)
    with PlaceIndex.open(index.folder) as opened:
        assert opened.verify().problems == {CONTENT: "has another sha256"}
        found = seen(opened, 2)
        assert found.matches[0].key == "2.png"
        assert "the candidate 0.png cannot be read: the key points of" in found.warning
        found = seen(opened, 0)
        assert found.warning.startswith("not re-ranked: the candidate 0.png cannot be")
        assert not found.reranked
        (tmp_path / "0.png").write_bytes(png(street(0, 200)))
        found = seen(opened, 0, Reranking(tmp_path, SIFT))
        assert (found.matches[0].key, found.warning) == ("0.png", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_values": 64}, "its key points have 64 values each, those of the photo"),
        ({"scale": 3e38}, "the key points of row 1 in"),
        ({"scale": 0.0}, "the key points of row 1 in"),
        ({"tolerance_px": -1.0}, "the key points of row 1 in"),
    ],
)
def test_made_up_key_points_are_left_out(index, matching, tmp_path, change, message):
    def changed(packed):
        fields = dict(change)
        count = packed.num_points * (4 + fields.pop("num_values", 128))
        content = packed.content[:count]
        return dataclasses.replace(packed, content=content, **fields)

    class MadeUp:
        def __len__(self):
            return 4

        def packed(self, row):
            packed = PackedFeatures.of(matching.features(street(row, 200)))
            return changed(packed) if row == 1 else packed

    found = found_by(matching, tmp_path / "found", range(4))
    made_up = PlaceIndex.create(
        tmp_path / "made_up",
        np.eye(4, 3),
        local_features=dataclasses.replace(found, rows=MadeUp()),
        **columns(range(4)),
    )
    assert made_up.verify().is_intact
    found = seen(made_up, 2)
    assert found.matches[0].key == "2.png"
    assert f"the candidate 1.png cannot be read: {message}" in found.warning


@pytest.mark.parametrize("damage", ["no table", "short", "no content"])
def test_an_index_whose_key_points_are_damaged_does_without(index, damage):
    folder = (index.folder / CONTENT).parent
    if damage == "no table":
        (folder / "table.npy").write_bytes(b"no array")
    elif damage == "short":
        (folder / "features.bin").write_bytes(b"")
    else:
        (folder / "features.bin").unlink()
    with PlaceIndex.open(index.folder) as opened:
        found = seen(opened, 2)
        assert found.status == "localized"
        assert not found.reranked
        assert "not re-ranked: the candidate" in found.warning
        assert "are damaged" in found.warning
        assert not opened.verify().is_intact
        opened.remove(["0.png"])
        opened.compact()  # what is damaged is no longer kept
        assert opened.verify().is_intact
        assert "keeps no key points of it" in seen(opened, 2).warning


def test_what_was_found_is_not_looked_for_again(matching, tmp_path):
    looked = []

    def image(number):
        looked.append(number)
        return street(number, 64)

    def find(source):
        found = extract_local_features(matching, image, 2, tmp_path / "work", source)
        return [found.rows.packed(row).content for row in range(2)]

    first = find({"of": 1})
    assert find({"of": 1}) == first
    assert looked == [0, 1]
    assert find({"of": 2}) == first
    assert looked == [0, 1, 0, 1]


def test_photos_without_key_points_have_none():
    assert NoFeatures(3).packed(2) is None
