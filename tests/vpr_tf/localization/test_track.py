"""Matches of a drive become a track: positions, confidences, status."""

import dataclasses
import datetime
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    OFF_TRACK,
    FittedOn,
    LocalizationError,
    LocalizationResult,
    MotionModel,
    PhotoSequence,
    PhotoTimes,
    Track,
    as_geojson,
    as_gpx,
    as_json,
    as_table,
    calibrate_on_queries,
    localize_matches,
    localize_track,
)

from .places import photos_at, photos_in_plane, positions_at

# Streets 200 m apart, a photo each 10 m.
EAST, NORTH = (
    axis.ravel()
    for axis in np.meshgrid(np.arange(0.0, 2000, 10), np.arange(0.0, 1200, 200))
)
PHOTOS = photos_in_plane(EAST, NORTH)
CONFIG = LocalizationConfig(num_predictions=12)
RIGHT = 4  # matches of a photo that is recognised


def matches_at(east_m, recognised, rng, north_m=400.0):
    """Returns distances and rows of photos along a street; others look as similar."""
    rows = np.stack([rng.choice(len(PHOTOS), 12, replace=False) for _ in east_m])
    for photo, east in enumerate(east_m):
        near = np.argsort(np.hypot(EAST - east, NORTH - north_m))[:RIGHT]
        others = rows[photo][~np.isin(rows[photo], near)]
        if recognised[photo]:
            rows[photo] = rng.permutation(np.concatenate([near, others])[:12])
    return np.sort(rng.uniform(0.5, 1.0, rows.shape), axis=1), rows


def sequence_of(num_photos, seconds=1.0):
    return PhotoSequence(PhotoTimes.evenly(num_photos, seconds), MotionModel())


def errors_of(found, east_m, north_m=400.0):
    return np.array(
        [
            np.hypot(one.utm_east - 500_000 - east, one.utm_north - 4_000_000 - north_m)
            if one.utm_east is not None
            else np.inf
            for one, east in zip(found, east_m, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def drive():
    rng = np.random.default_rng(3)
    east_m = 200 + 9.0 * np.arange(60)
    distances, rows = matches_at(east_m, rng.random(60) < 0.7, rng)
    names = [f"{number}.jpg" for number in range(60)]
    return names, distances, rows, east_m


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(4)
    east_m = rng.uniform(100, 1900, 300)
    matches = matches_at(east_m, rng.random(300) < 0.7, rng)
    queries = photos_in_plane(east_m, np.full(300, 400.0))
    return calibrate_on_queries(
        *matches, queries, PHOTOS, CONFIG, FittedOn("val", 25.0, "encoder")
    )


def test_a_track_is_nearer_than_its_photos_alone(drive, calibration):
    names, distances, rows, east_m = drive
    matches = names, distances, rows, PHOTOS, CONFIG
    alone = localize_matches(*matches, calibration=calibration)
    found = localize_track(*matches, sequence_of(60), calibration=calibration)
    assert [one.photo for one in found] == names
    right = errors_of(found, east_m) <= 25
    assert right.mean() > (errors_of(alone, east_m) <= 25).mean() + 0.2
    told = np.array([one.is_localized for one in found])
    assert told.mean() > np.mean([one.is_localized for one in alone]) + 0.2
    assert right[told].mean() >= 0.95
    confidences = [one.confidence for one in found if one.is_localized]
    assert min(confidences) >= calibration.min_confidence
    errors = [one.expected_error_m for one in found if one.is_localized]
    assert max(errors) <= 25.0


def test_order_of_the_photos_does_not_matter(drive):
    names, distances, rows, _ = drive
    shuffled = np.random.default_rng(5).permutation(60)
    times = PhotoSequence(PhotoTimes.of_clock(shuffled * 1.0, 0.0), MotionModel())
    straight = localize_track(names, distances, rows, PHOTOS, CONFIG, sequence_of(60))
    mixed = localize_track(
        [names[row] for row in shuffled],
        distances[shuffled],
        rows[shuffled],
        PHOTOS,
        CONFIG,
        times,
    )
    assert [straight[row] for row in shuffled] == mixed


def test_one_photo_is_as_sure_as_alone(drive, calibration):
    names, distances, rows, _ = drive
    for row in range(5):
        one = [names[row]], distances[[row]], rows[[row]], PHOTOS, CONFIG
        [alone] = localize_matches(*one, calibration=calibration)
        [found] = localize_track(*one, sequence_of(1), calibration=calibration)
        if found.status != "outside":
            assert found.confidence == pytest.approx(alone.confidence)
            assert found.latitude == pytest.approx(alone.latitude, abs=1e-6)


def test_without_a_calibration_there_is_no_confidence(drive):
    names, distances, rows, east_m = drive
    found = localize_track(names, distances, rows, PHOTOS, CONFIG, sequence_of(60))
    assert {one.confidence for one in found} == {None}
    assert (errors_of(found, east_m) <= 25).mean() > 0.7


def test_a_photo_without_matches_lies_between_its_neighbours(drive):
    names, distances, rows, east_m = drive
    rows = rows.copy()
    rows[30] = -1
    found = localize_track(names, distances, rows, PHOTOS, CONFIG, sequence_of(60))
    assert found[30].matches == []
    assert errors_of(found, east_m)[30] <= 60


def test_photos_outside_the_map_have_no_position(calibration):
    rng = np.random.default_rng(6)
    east_m = 100 + 9.0 * np.arange(50)
    inside = np.arange(50) < 25
    matches = matches_at(east_m, inside, rng)
    names = [str(number) for number in range(50)]
    found = localize_track(
        names, *matches, PHOTOS, CONFIG, sequence_of(50), calibration=calibration
    )
    assert np.mean([one.is_localized for one in found[:23]]) > 0.8
    assert not any(one.is_localized for one in found[30:])
    assert sum(one.status == "outside" for one in found[30:]) > 5
    outside = next(one for one in found if one.status == "outside")
    assert (outside.reason, outside.latitude) == (OFF_TRACK, None)


def test_no_photo_has_a_match():
    rows = np.full((3, 12), -1)
    found = localize_track(
        ["a", "b", "c"], np.zeros((3, 12)), rows, PHOTOS, CONFIG, sequence_of(3)
    )
    assert {one.status for one in found} == {"outside"}
    assert {one.reason for one in found} == {"no match of known position"}


def test_no_photos():
    none = np.zeros((0, 12)), np.zeros((0, 12), np.int64)
    assert localize_track([], *none, PHOTOS, CONFIG, sequence_of(0)) == []


def test_a_track_of_no_photo_has_no_segment():
    track = Track.of([], sequence_of(0))
    assert (track.order, track.times, track.segments) == ([], [], [])


def test_another_number_of_times_is_refused(drive):
    names, distances, rows, _ = drive
    with pytest.raises(LocalizationError, match=r"as many times as photos, 60.*59"):
        localize_track(names, distances, rows, PHOTOS, CONFIG, sequence_of(59))


def result_of(found, track):
    return LocalizationResult({"index": "x"}, None, [], found, [], track)


def on_equator(longitudes, times=None):
    """Returns localizations on the equator, each by a photo of its own place."""
    n = len(longitudes)
    photos = photos_at(positions_at(np.zeros(n), longitudes))
    rows = np.arange(n)[:, np.newaxis]
    names = [f"{row} <&>.jpg" for row in range(n)]
    config = LocalizationConfig(num_predictions=1)
    found = localize_matches(names, np.zeros((n, 1)), rows, photos, config)
    return found, PhotoSequence(times or PhotoTimes.evenly(n, 1.0), MotionModel())


def test_formats_of_a_track():
    start = datetime.datetime(2024, 3, 1, 0, 0, 30)
    clock = (start - datetime.datetime(1970, 1, 1)).total_seconds()
    times = PhotoTimes.of_clock([clock + 1, clock, np.nan], 1.0)
    found, sequence = on_equator([10.0002, 10.0, 10.0001], times)
    track = Track.of(found, sequence, datetime.timedelta(hours=2))
    assert track.order == [1, 2, 0]
    assert track.times == ["2024-02-29T22:00:30Z", "", "2024-02-29T22:00:31Z"]
    assert track.segments == [[1, 2, 0]]
    result = result_of(found, track)
    root = ElementTree.fromstring(as_gpx(result))
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    assert root.attrib["version"] == "1.1"
    points = root.findall("g:trk/g:trkseg/g:trkpt", space)
    assert [float(p.attrib["lon"]) for p in points] == [10.0, 10.0001, 10.0002]
    assert [float(p.attrib["lat"]) for p in points] == pytest.approx([0] * 3)
    assert [p.findtext("g:time", "", space) for p in points] == track.times
    # The schema has the time before the name.
    assert [child.tag.rpartition("}")[2] for child in points[0]] == ["time", "name"]
    assert points[0].findtext("g:name", None, space) == "1 <&>.jpg"
    features = json.loads(as_geojson(result))["features"]
    line = features[-1]
    assert line["properties"]["kind"] == "track"
    assert line["properties"]["times"] == track.times
    assert line["geometry"]["type"] == "MultiLineString"
    [drawn] = line["geometry"]["coordinates"]
    assert drawn[0] == [10.0, 0.0]  # longitude first
    assert json.loads(as_json(result))["track"]["order"] == [1, 2, 0]
    rows = as_table(result).splitlines()[1:4]
    assert [row[0] for row in rows] == ["1", "2", "0"]


def test_gpx_says_what_to_know_and_is_xml_whatever_photos_are_called():
    found, sequence = on_equator([10.0])
    found = [dataclasses.replace(found[0], photo="a\uffff\ufffe\x00\x1b\udcff<.jpg")]
    result = result_of(found, Track.of(found, sequence))
    notes = ["Not calibrated.", "a <b> & c.jpg: not re-ranked: why."]
    root = ElementTree.fromstring(as_gpx(dataclasses.replace(result, notes=notes)))
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    assert root.findtext("g:metadata/g:desc", None, space) == " ".join(notes)
    assert [child.tag.rpartition("}")[2] for child in root] == ["metadata", "trk"]
    name = root.findtext(".//g:name", None, space)
    assert name == "a\ufffd\ufffd\\x00\\x1b\\xff<.jpg"


def test_times_of_a_clock_of_unknown_offset_are_not_in_gpx():
    times = PhotoTimes.of_clock([0.0, 1.0], 1.0)
    found, sequence = on_equator([10.0, 10.0001], times)
    track = Track.of(found, sequence)
    assert track.times == ["1970-01-01T00:00:00", "1970-01-01T00:00:01"]
    assert "<time>" not in as_gpx(result_of(found, track))


def test_a_step_that_no_speed_explains_begins_a_segment():
    found, sequence = on_equator([10.0, 10.0001, 10.5, 10.5001])
    assert Track.of(found, sequence).segments == [[0, 1], [2, 3]]


def test_lines_end_at_the_antimeridian():
    found, sequence = on_equator([179.9998, 179.9999, -179.9999, -179.9998])
    track = Track.of(found, sequence)
    assert track.segments == [[0, 1, 2, 3]]
    east = [[x for x, _ in line] for line in track.lines(found)]
    assert east == [[179.9998, 179.9999], [-179.9999, -179.9998]]


def test_gpx_of_no_sequence_is_refused():
    found, _ = on_equator([10.0])
    with pytest.raises(LocalizationError, match="GPX is of a track"):
        as_gpx(result_of(found, None))


def test_local_coordinates_have_no_gpx():
    photos = photos_in_plane([0.0, 10.0], [0.0, 0.0], zone=0)
    photos.positions.latitude_deg[:] = np.nan
    photos.positions.longitude_deg[:] = np.nan
    found = localize_track(
        ["a", "b"],
        np.zeros((2, 1)),
        np.array([[0], [1]]),
        photos,
        LocalizationConfig(num_predictions=1),
        sequence_of(2),
    )
    track = Track.of(found, sequence_of(2))
    assert track.segments == [[0, 1]]
    with pytest.raises(LocalizationError, match="GPX needs latitude and longitude"):
        as_gpx(result_of(found, track))
    feature = json.loads(as_geojson(result_of(found, track)))["features"][-1]
    assert feature["geometry"] is None
