"""What one can type with a descriptor matrix and positions alone."""

import datetime
import doctest

import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import make_descriptors
from vpr_tf.place_index import (
    GeoCircle,
    PlaceIndex,
    index_reader,
    place_index,
    tunable_index,
)
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    LocalizationSettings,
    localize_descriptors,
)
from vpr_tf.search import RetrievalError

LATITUDE = 37.7 + np.arange(5) * 1e-3
LONGITUDE = [-122.5] * 5
KEYS = ["a", "b", "c", "d", "ü"]


@pytest.fixture
def index(tmp_path):
    return PlaceIndex.create(
        tmp_path / "index",
        make_descriptors(5).astype(np.float64),
        latitude=LATITUDE,
        longitude=LONGITUDE,
        keys=KEYS,
        heading_deg=[0, 90, None, -1, 360],
        timestamps=["2019", None, "2020-06-30", datetime.date(2021, 1, 2), b"202203"],
    )


def test_examples_in_the_docstrings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for owner in (
        place_index.PlaceIndex,
        tunable_index.TunableIndex,
        index_reader.IndexReader,
    ):
        parser, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
        tests = [test for test in parser.find(owner) if test.examples]
        for test in sorted(tests, key=lambda test: test.lineno):
            runner.run(test)
        assert runner.summarize().failed == 0


def test_index_of_descriptors_and_positions(index):
    assert index.num_photos == 5
    assert index.manifest.encoder is None
    photos = index.photos
    np.testing.assert_array_equal(photos.positions.latitude_deg, LATITUDE)
    assert photos.positions.utm_zone.tolist() == [10] * 5
    assert photos.heading_deg.tolist() == [0, 90, -1, -1, 360]
    times = [b"2019", b"", b"20200630", b"20210102", b"202203"]
    assert photos.timestamps.tolist() == times
    found = index.search(make_descriptors(5)[4], 1)
    assert found.rows.shape == (1, 1)
    assert found.keys == [["ü"]]
    assert PlaceIndex.open(index.folder).verify().is_intact


def test_photos_without_names_are_numbered(tmp_path):
    with PlaceIndex.create(tmp_path / "index", make_descriptors(3).tolist()) as index:
        assert not index.photos.positions.known.any()
        index.remove(["00000001"])
        index.add(make_descriptors(2, first=3))
        assert [key.decode() for key in index.photos.keys] == [
            f"{number:08d}" for number in (0, 2, 3, 4)
        ]


def test_positions_in_utm_are_those_in_degrees(index, tmp_path):
    known = index.photos.positions
    of_utm = PlaceIndex.create(
        tmp_path / "of_utm",
        make_descriptors(5),
        utm_east=known.utm_east_cm / 100,
        utm_north=known.utm_north_cm / 100,
        utm_zone=10,
    ).photos.positions
    np.testing.assert_allclose(of_utm.latitude_deg, LATITUDE, atol=1e-7)
    np.testing.assert_array_equal(of_utm.utm_east_cm, known.utm_east_cm)


def test_unknown_positions_among_others(tmp_path):
    latitude = [37.7, np.nan, 37.8]
    with PlaceIndex.create(
        tmp_path / "index",
        make_descriptors(3),
        latitude=latitude,
        longitude=[-122.5, np.nan, -122.5],
    ) as index:
        assert index.photos.positions.known.tolist() == [True, False, True]


def test_photos_are_removed_by_time_and_place(index):
    assert index.select(older_than="2021") == ["a", "c"]
    circle = GeoCircle(37.7, -122.5, 10)
    assert index.remove(within=circle, older_than="2021").num_photos == 4
    assert index.remove(older_than=datetime.date(2022, 1, 1)).num_photos == 2
    assert index.remove(older_than="2019").num_photos == 2
    with pytest.raises(RetrievalError, match="either `keys`"):
        index.remove()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"latitude": [1.0, 2.0]}, "Received: latitude"),
        ({"latitude": [1.0], "longitude": [1.0, 2.0]}, "`latitude` must have one"),
        ({"keys": ["a"]}, "`keys` must have one value a photo, 2"),
        ({"keys": ["a", "a"]}, "more than once"),
        ({"heading_deg": [400, 3]}, "`heading_deg`: A heading must be 0 to 360"),
        ({"latitude": [1.0, 0], "longitude": [1.0, 0]}, "Photo 1: .* are 0, 0, which"),
        (
            {"utm_east": [4e6, 4e5], "utm_north": [4e5, 4e6], "utm_zone": 10},
            "Photo 0: utm_east 4000000.00 is impossible.*swapped",
        ),
        (
            {"utm_east": [4e5, 4e5], "utm_north": [4e6, 9.9e6], "utm_zone": 10},
            "Photo 1: utm_north 9900000.00 is latitude",
        ),
        (
            {"utm_east": [4e5, 4e5], "utm_north": [4e6, 4e6], "utm_zone": [10, 61]},
            "`utm_zone` must be a whole number.*61",
        ),
        (
            {"timestamps": ["2019", "June"]},
            "`timestamps`, photo 1: timestamp must have the form",
        ),
        ({"timestamps": [2019, 201913]}, "photo 1: timestamp 201913 does not exist"),
        ({"timestamps": ["2019", 2019.5]}, "photo 1: timestamp must have the form"),
        (
            {"latitude": [1.0, 89], "longitude": [1.0, 2.0]},
            "Photo 1: latitude 89 is outside -80 to 84",
        ),
        (
            {"latitude": [1.0, 1.0], "longitude": [200, -200]},
            "Photo 0: longitude 200 is beyond 180",
        ),
        (
            {"latitude": [1.0, -122.5], "longitude": [1.0, 37.7]},
            "Photo 1: latitude -122.5 .*swapped",
        ),
        (
            {"latitude": [1.0, np.nan], "longitude": [1.0, 2.0]},
            r"Photo 1: latitude unknown \(NaN\) and longitude not",
        ),
        (
            {"utm_east": [4e5, 4e5], "utm_north": [4e6, np.nan], "utm_zone": 10},
            r"Photo 1: utm_north unknown \(NaN\) and utm_east, utm_zone not",
        ),
        (
            {"utm_east": [166021.44, 4e5], "utm_north": [0, 4e6], "utm_zone": [31, 10]},
            "Photo 0: utm 166021.44, 0.00 in zone 31: .*are 0, 0, which",
        ),
        (
            {"utm_east": [4e5, 4e5], "utm_north": [4e6, 4e6], "utm_zone": "10S"},
            "`utm_zone` must be numbers.*10S is zone 10.*Received: '10S'",
        ),
        ({"heading_deg": ["a", 3]}, "`heading_deg` must be numbers.*'a'"),
        (
            {"latitude": ["37,7", "1"], "longitude": [1.0, 2.0]},
            "`latitude` must be numbers, with a point.*'37,7'",
        ),
    ],
)
def test_columns_that_cannot_be(tmp_path, columns, message):
    with pytest.raises(ValueError, match=message):
        PlaceIndex.create(tmp_path / "index", make_descriptors(2), **columns)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "meant"),
    [("heading", "heading_deg"), ("timestamp", "timestamps"), ("names", None)],
)
def test_unknown_columns_are_refused(index, tmp_path, name, meant):
    message = f"No column `{name}`"
    message += rf"\. Did you mean {meant}\?" if meant else r"\."
    message += " Columns are latitude, longitude, .*timestamps"
    with pytest.raises(TypeError, match=message):
        PlaceIndex.create(tmp_path / "other", make_descriptors(2), **{name: [1, 2]})
    with pytest.raises(TypeError, match=message):
        index.add(make_descriptors(2, first=5), **{name: [1, 2]})
    assert index.num_photos == 5
    assert not (tmp_path / "other").exists()


def test_columns_besides_a_table_are_refused(index):
    with pytest.raises(TypeError, match=r"`photos` says all.*Received: keys"):
        index.add(make_descriptors(5), photos=index.photos, keys=list("vwxyz"))
    with pytest.raises(TypeError, match=r"`photos` says all.*Received: keys"):
        index.calibrate(make_descriptors(5), photos=index.photos, keys=KEYS)


@pytest.mark.parametrize(
    ("times", "stored"),
    [
        ([2019, np.int64(2020), np.nan], [b"2019", b"2020", b""]),
        (np.array([2019, 2020, 2021]), [b"2019", b"2020", b"2021"]),
        (
            np.array(["2019-06-30T12:34:56", "NaT", "2020-01-02"], "datetime64[ns]"),
            [b"20190630_123456", b"", b"20200102_000000"],
        ),
        (
            np.array(["2019-06-30", "2020-01-02", "NaT"], "datetime64[D]"),
            [b"20190630", b"20200102", b""],
        ),
    ],
)
def test_years_and_datetime64(tmp_path, times, stored):
    index = PlaceIndex.create(tmp_path / "i", make_descriptors(3), timestamps=times)
    assert index.photos.timestamps.tolist() == stored


def test_circle_as_three_numbers(index):
    circle = (37.7, -122.5, 10)
    assert index.select(within=circle) == index.select(within=GeoCircle(*circle))
    found = index.search(make_descriptors(5)[4], 5, within=circle)
    assert found.keys == [["a"]]
    for wrong in ((37.7, -122.5), "37.7,-122.5,10", 3):
        with pytest.raises(ValueError, match=r"`vpr_tf\.geo\.GeoCircle`, or latitude"):
            index.search(make_descriptors(5)[4], 5, within=wrong)


def test_calibration_on_queries_searched_in_the_index(tmp_path):
    rng = np.random.default_rng(0)
    descriptors = make_descriptors(200, dim=8)
    latitude = 37.7 + np.arange(200) * 1e-4
    index = PlaceIndex.create(
        tmp_path / "index", descriptors, latitude=latitude, longitude=[-122.5] * 200
    )
    queries = descriptors[::2] + rng.normal(size=(100, 8)).astype(np.float32) / 20
    calibration = index.calibrate(
        queries,
        latitude=latitude[::2] + 1e-6,
        longitude=[-122.5] * 100,
        threshold_m=10,
        fitted_on="noisy photos",
    )
    assert calibration.threshold_m == 10
    assert (calibration.num_queries, calibration.fitted_on) == (100, "noisy photos")
    assert calibration.encoder_fingerprint == ""
    settings = LocalizationSettings.from_manifest(index.manifest, LocalizationOptions())
    assert settings.calibration == calibration
    [found] = localize_descriptors(
        index.state(), queries[:1], ["one"], LocalizationOptions()
    )
    assert found.status == "localized"
    assert found.matches[0].key == "00000000"
    assert found.confidence > 0.5
    other = LocalizationOptions(num_predictions=3)
    settings = LocalizationSettings.from_manifest(index.manifest, other)
    assert settings.calibration is None
    assert "num_predictions=3" in settings.note
