"""Photos in any form localized by an index that keeps its encoder."""

import datetime
import io

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.config import LocalizationConfig, Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import GeoCircle
from vpr_tf.localization import LocalizationError, to_stored
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.place_index import PlaceIndex
from vpr_tf.search import IndexMismatchError

rng = np.random.default_rng(0)
PIXELS = [rng.integers(0, 256, (40, 32 + 8 * n, 3), np.uint8) for n in range(4)]
LATITUDE = 37.7 + np.arange(4) * 1e-2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    encoder = GeoLocalizationNet("EfficientNetLite0", 32, last_stage=0)
    extractor = FeatureExtractor(encoder, Preprocessing("square", 32))
    folder = tmp_path_factory.mktemp("localize") / "index"
    index = PlaceIndex.create(
        folder,
        extractor.extract(PIXELS),
        latitude=LATITUDE,
        longitude=[-122.5] * 4,
        encoder=extractor,
    )
    assert index.manifest.encoder.preprocessing == extractor.preprocessing
    assert index.manifest.encoder.file == "encoder/encoder.keras"
    assert index.verify().is_intact
    return folder


def test_paths_bytes_images_and_arrays(folder, tmp_path):
    Image.fromarray(PIXELS[0]).save(tmp_path / "0.png")
    file = io.BytesIO()
    Image.fromarray(PIXELS[1]).save(file, "PNG")
    photos = [
        tmp_path / "0.png",
        file.getvalue(),
        Image.fromarray(PIXELS[2]),
        PIXELS[3],
    ]
    with PlaceIndex.open(folder) as index:
        found = index.localize(photos, num_predictions=1)
        assert index.extractor() is index.extractor()
        [again] = index.localize(str(tmp_path / "0.png"), num_predictions=1)
    assert [one.latitude for one in found] == pytest.approx(LATITUDE, abs=1e-6)
    assert [one.photo for one in found][1:] == ["photo 1", "photo 2", "photo 3"]
    assert again.photo == str(tmp_path / "0.png")
    assert again.matches[0].key == "00000000"


def test_local_coordinates_have_no_latitude(tmp_path):
    encoder = GeoLocalizationNet("EfficientNetLite0", 32, last_stage=0)
    extractor = FeatureExtractor(encoder, Preprocessing("square", 32))
    descriptors = extractor.extract(PIXELS)
    metres = {"utm_east": [0.0, 50, 100, 150], "utm_north": [-5.0] * 4, "utm_zone": 0}
    folder = tmp_path / "index"
    index = PlaceIndex.create(folder, descriptors, encoder=extractor, **metres)
    [found] = index.localize(PIXELS[1], num_predictions=1)
    assert found.latitude is None
    assert found.longitude is None
    assert (found.utm_east, found.utm_north, found.utm_zone) == (50.0, -5.0, 0)
    assert found.matches[0].latitude is None
    with pytest.raises(ValueError, match="needs latitude and longitude"):
        index.search(descriptors[:1], 1, within=GeoCircle(37.7, -122.5, 100.0))
    with pytest.raises(ValueError, match=r"Local coordinates .* cannot be compared"):
        index.add(descriptors[:1], keys=["x"], latitude=[37.7], longitude=[-122.5])


def test_one_photo_alone(folder):
    file = io.BytesIO()
    Image.fromarray(PIXELS[1]).save(file, "PNG")
    with PlaceIndex.open(folder) as index:
        for photo in (file.getvalue(), Image.fromarray(PIXELS[1]), PIXELS[1]):
            [found] = index.localize(photo, num_predictions=1)
            assert (found.photo, found.matches[0].key) == ("photo 0", "00000001")


def test_headings_that_files_say_leave_out_photos_that_look_elsewhere(tmp_path):
    encoder = GeoLocalizationNet("EfficientNetLite0", 32, last_stage=0)
    extractor = FeatureExtractor(encoder, Preprocessing("square", 32))
    index = PlaceIndex.create(
        tmp_path / "index",
        extractor.extract([PIXELS[0]] * 2),
        latitude=LATITUDE[:2],
        longitude=[-122.5] * 2,
        heading_deg=[90, 270],
        encoder=extractor,
    )
    east, unknown = tmp_path / "east.jpg", tmp_path / "unknown.jpg"
    write_photo(east, (9, 99, 199), gps=gps_of(37.7, -122.5, heading_deg=100.0))
    write_photo(unknown, (9, 99, 199))
    photos = [east, str(unknown), PIXELS[0]]
    assert [one.num_candidates for one in index.localize(photos)] == [2, 2, 2]
    config = LocalizationConfig(heading_tolerance_deg=60)
    index.set_localization(to_stored(config, None))
    found = index.localize(photos)
    assert [one.num_candidates for one in found] == [1, 2, 2]
    assert found[0].latitude == pytest.approx(LATITUDE[0])
    [west] = index.localize(east, heading_deg=260)
    assert west.latitude == pytest.approx(LATITUDE[1])


def test_index_without_its_encoder(tmp_path):
    index = PlaceIndex.create(tmp_path / "index", np.eye(3))
    with pytest.raises(IndexMismatchError, match="made of descriptors alone"):
        index.localize([PIXELS[0]])


def test_encoder_that_cannot_be_kept_is_noted(tmp_path):
    extractor = FeatureExtractor(lambda images: np.mean(images, axis=(1, 2)))
    index = PlaceIndex.create(
        tmp_path / "index", extractor.extract(PIXELS), encoder=extractor
    )
    assert index.manifest.encoder.file is None
    assert index.manifest.descriptor_dim == 3


def test_a_sequence_by_times_and_by_seconds_between(folder):
    with PlaceIndex.open(folder) as index:
        options = {"num_predictions": 1, "max_speed_kmh": 300.0}
        found = index.localize_sequence(PIXELS, [0, 60, None, 180], **options)
        even = index.localize_sequence(PIXELS, seconds_between=60, **options)
        [one] = index.localize_sequence(PIXELS[2], **options)
        with pytest.raises(LocalizationError, match=r"no time.*seconds_between"):
            index.localize_sequence(PIXELS)
        with pytest.raises(LocalizationError, match="as many as the photos, 4"):
            index.localize_sequence(PIXELS, [0, 1])
        for wrong in ("12:00", datetime.datetime(2024, 5, 1), np.datetime64(0, "s")):
            with pytest.raises(LocalizationError, match="`times` must be seconds of"):
                index.localize_sequence(PIXELS, [0, 1, 2, wrong])
        with pytest.raises(LocalizationError, match="exclude each other"):
            index.localize_sequence(PIXELS, [0, 1, 2, 3], seconds_between=1)
        with pytest.raises(LocalizationError, match="max_speed_kmh"):
            index.localize_sequence(PIXELS, seconds_between=1, max_speed_kmh=0)
    for track in (found, even):
        assert [one.latitude for one in track] == pytest.approx(LATITUDE, abs=1e-6)
    assert one.matches[0].key == "00000002"


def test_times_of_a_sequence_are_those_of_its_files(folder, tmp_path):
    for number, pixels in enumerate(PIXELS):
        photo = Image.fromarray(pixels)
        exif = Image.Exif()
        exif[0x0112] = 1
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:0{4 - number}:00"
        photo.save(tmp_path / f"{number}.png", exif=exif)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    with PlaceIndex.open(folder) as index:
        found = index.localize_sequence(paths, num_predictions=1, max_speed_kmh=300)
    assert [one.photo for one in found] == [str(path) for path in paths]
    assert [one.latitude for one in found] == pytest.approx(LATITUDE, abs=1e-6)
